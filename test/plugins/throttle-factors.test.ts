import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import suite, { type SuiteOptions } from '../../plugins/index.js'
import type { ThrottleOptions } from '../../plugins/throttle.js'
import { deviceOf, post } from '../helpers/http.js'
import { ALICE, accountSource, BOB, SECRET, TestClock } from '../helpers/suite.js'

const RIGHT = { username: ALICE.username, password: ALICE.password }
const WRONG = { ...RIGHT, password: 'wrong' }

/** An application that verifies factors by itself: each request says what comes of it. */
async function start(t: Test, throttle: ThrottleOptions = {}, more: Partial<SuiteOptions> = {}) {
  const app = Fastify({ trustProxy: true })
  t.teardown(() => app.close())
  const clock = new TestClock()
  const failures: number[] = []
  const state = { memory: true } as const
  const options = { secrets: [SECRET], state, accounts: accountSource, secure: false, clock: clock.read }
  await app.register(suite, { ...options, throttle, ...more })
  app.post<{ Body: typeof RIGHT }>('/login', async (request) => {
    await app.throttle.signIn(request, 'session', request.body)
  })
  app.post<{ Body: { who?: typeof ALICE; gives: string | number } }>('/factor', async (request, reply) => {
    const { who = ALICE, gives } = request.body
    const right = await app.throttle.guessFactor(request, who, async (count) => {
      failures.push(count)
      if (typeof gives === 'number') throw Object.assign(new Error('a fault'), { statusCode: gives })
      return gives === 'right' ? true : null
    })
    return reply.code(right ? 200 : 401).send()
  })
  app.post<{ Body: { mode: 'session' | 'token' } }>('/finish', async (request) => {
    const { mode } = request.body
    await request.signIn(mode, ALICE)
    await app.throttle.noteSignIn(request, mode, ALICE, ALICE.username)
  })
  await app.ready()
  return { app, clock, failures }
}

async function give(app: FastifyInstance, all: readonly (string | number)[], headers = {}, who = ALICE) {
  const found: number[] = []
  for (const gives of all) found.push((await post(app, '/factor', { who, gives }, headers)).statusCode)
  return found
}

const wrongs = (count: number) => Array.from({ length: count }, () => 'wrong')

test('factors count by account, from every address, and apart from passwords', async (t) => {
  const { app, clock, failures } = await start(t)
  for (let each = 1; each <= 10; each++) {
    const headers = { 'x-forwarded-for': `192.0.2.${each}` }
    t.strictSame(await give(app, ['wrong'], headers), [401])
  }
  t.strictSame(failures, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'who verifies learns how many failed in a row')
  const refused = await post(app, '/factor', { gives: 'right' }, { 'x-forwarded-for': '198.51.100.1' })
  t.match(refused, { statusCode: 429, headers: { 'retry-after': '60' } })
  t.strictSame(await give(app, ['right'], {}, BOB), [200], 'another account is none of it')
  t.equal((await post(app, '/login', RIGHT)).statusCode, 200, 'nor are passwords')
  t.strictSame(await give(app, ['right']), [429], 'and a password resets none of it')
  for (const [delay, count] of [
    [60, 11],
    [120, 12],
    [240, 13],
  ] as const) {
    clock.advance(delay)
    t.strictSame(await give(app, ['wrong', 'right']), [401, 429])
    t.equal(failures.at(-1), count)
  }
  clock.advance(480)
  t.strictSame(await give(app, ['right', 'wrong']), [200, 401])
  t.equal(failures.at(-1), 1, 'a right one resets the count')
})

test('the waits grow to an hour, and then there is one guess an hour', async (t) => {
  const { app, clock } = await start(t)
  let guesses = 0
  const until = clock.now + 3 * 24 * 3_600_000
  while (clock.now < until) {
    const answer = await post(app, '/factor', { gives: 'wrong' })
    if (answer.statusCode === 401) guesses += 1
    else clock.advance(Number(answer.headers['retry-after']))
  }
  t.ok(guesses <= 10 + 6 + 3 * 24, `${guesses} guesses in three days`)
})

test('no storm gets more tries than the limit', async (t) => {
  const { app } = await start(t)
  const storm = Array.from({ length: 60 }, (_, each) =>
    post(app, '/factor', { gives: 'wrong' }, { 'x-forwarded-for': `192.0.2.${each}` }),
  )
  const statuses = (await Promise.all(storm)).map(({ statusCode }) => statusCode)
  t.equal(statuses.filter((status) => status === 401).length, 10)
  t.equal(statuses.filter((status) => status === 429).length, 50)
})

test('a fault of the server gives the try back', async (t) => {
  const { app, failures } = await start(t, { accountLimit: 2 })
  t.strictSame(
    await give(app, [503, 500, 503, 'wrong', 503, 'wrong', 'right']),
    [503, 500, 503, 401, 503, 401, 429],
  )
  t.strictSame(failures, [1, 1, 1, 1, 2, 2])
})

test('one address that guesses at many accounts is stopped', async (t) => {
  const { app } = await start(t, { addressLimit: 3 })
  for (const name of ['a', 'b', 'c'])
    t.strictSame(await give(app, ['wrong'], {}, { ...ALICE, id: name, username: name }), [401])
  t.strictSame(await give(app, ['right'], {}, BOB), [429])
})

test('only a device that gave two factors before has a count of its own', async (t) => {
  const { app } = await start(t, { accountLimit: 3 })
  const weak = deviceOf(await post(app, '/login', RIGHT))
  const strong = deviceOf(await post(app, '/finish', { mode: 'session' }))
  t.equal((await post(app, '/finish', { mode: 'token' })).cookies.length, 0, 'a program gets no cookie')
  t.strictSame(await give(app, wrongs(3)), [401, 401, 401])
  t.strictSame(
    await give(app, ['right'], { cookie: weak }),
    [429],
    'the attacker may have had a device before',
  )
  t.strictSame(await give(app, ['wrong', 'right'], { cookie: strong }), [401, 200], 'the owner gets in')
  t.strictSame(await give(app, ['right']), [429], 'which resets nothing of the others')
  const asBob = await give(app, ['wrong', 'wrong', 'wrong', 'wrong'], { cookie: strong }, BOB)
  t.strictSame(asBob, [401, 401, 401, 429], 'it is no device of another account')
})

test('a device stays one of two factors when a password signs in from it', async (t) => {
  const { app } = await start(t, { accountLimit: 1 })
  const strong = deviceOf(await post(app, '/finish', { mode: 'session' }))
  const again = deviceOf(await post(app, '/login', RIGHT, { cookie: strong }))
  t.strictSame(await give(app, ['wrong']), [401])
  t.strictSame(await give(app, ['right'], { cookie: again }), [200])
})

test('a sign-in with two factors resets the count of passwords', async (t) => {
  const { app } = await start(t, { accountLimit: 2 })
  t.equal((await post(app, '/login', WRONG)).statusCode, 401)
  t.equal((await post(app, '/login', WRONG)).statusCode, 401)
  t.equal((await post(app, '/login', RIGHT)).statusCode, 429)
  const strong = deviceOf(await post(app, '/finish', { mode: 'session' }))
  t.equal((await post(app, '/login', RIGHT)).statusCode, 200)
  for (let each = 0; each < 2; each++) await post(app, '/login', WRONG, { cookie: strong })
  t.equal((await post(app, '/login', RIGHT, { cookie: strong })).statusCode, 429)
  await post(app, '/finish', { mode: 'session' }, { cookie: strong })
  t.equal(
    (await post(app, '/login', RIGHT, { cookie: strong })).statusCode,
    200,
    'so it does that of the device',
  )
})

test('an audit event tells which limit refused a factor', async (t) => {
  const { app } = await start(t, { accountLimit: 1 })
  const told: unknown[] = []
  app.audit.subscribe((event) => void told.push(event))
  await give(app, ['wrong', 'wrong'])
  t.match(told, [{ type: 'throttled', what: 'factor', by: 'account', accountId: ALICE.id }])
})
