import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { type Test, test } from 'tap'
import suite, { type SuiteOptions } from '../../plugins/index.js'
import { Busy, CredentialsRefused } from '../../plugins/lib/errors.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import type { ThrottleOptions } from '../../plugins/throttle.js'
import { cookieOf, deviceOf, post } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { ALICE, accountSource, SECRET, TestClock } from '../helpers/suite.js'
import { makeDataDir } from '../helpers/user-center.js'

const RIGHT = { username: ALICE.username, password: ALICE.password }
const WRONG = { ...RIGHT, password: 'wrong' }

/** An application of somebody's own, on the suite: each route throws what the test says. */
async function start(t: Test, throttle: ThrottleOptions = {}, more: Partial<SuiteOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  const clock = new TestClock()
  const state = { memory: true } as const
  const options = { secrets: [SECRET], state, accounts: accountSource, secure: false, clock: clock.read }
  await app.register(suite, { ...options, throttle, ...more })
  addRoutes(app)
  await app.ready()
  return { app, clock }
}

interface Said {
  readonly status: number | string
}

function addRoutes(app: FastifyInstance): void {
  app.post<{ Body: { username: string; password: string } }>('/login', async (request) => {
    const { signInId } = await app.throttle.signIn(request, 'session', request.body)
    return { signInId }
  })
  const work = async ({ status }: Said) => {
    if (status === 'null') return null
    if (typeof status === 'number') throw Object.assign(new Error('said so'), { statusCode: status })
    if (status === 'error') throw new Error('without a status')
    return { done: true }
  }
  app.post<{ Body: Said }>('/guess', { preHandler: app.guard() }, async (request) => {
    const result = await app.throttle.guess(request, request.identity, () => work(request.body))
    if (result === null) throw new CredentialsRefused()
    return result
  })
  app.post<{ Body: Said }>('/failures', (request) =>
    app.throttle.byAddress(request, 'claim', () => work(request.body)),
  )
  app.post<{ Body: Said }>('/afterwards', (request) =>
    app.throttle.byAddress(request, 'refresh', () => work(request.body), 'afterwards'),
  )
  app.post<{ Body: Said }>('/all', (request) =>
    app.throttle.byAddress(request, 'register', () => work(request.body), 'all'),
  )
}

async function statuses(app: FastifyInstance, url: string, bodies: readonly object[], cookie = '') {
  const found: number[] = []
  for (const body of bodies) found.push((await post(app, url, body, { cookie })).statusCode)
  return found
}

test('an option that is misspelt, out of range or without effect refuses to boot', async (t) => {
  const refusedOptions: [object, RegExp][] = [
    [{ accountsLimit: 5 }, /accountsLimit is unknown/],
    [{ accountLimit: 0 }, /accountLimit wants a whole number from 1/],
    [{ addressLimit: 1.5 }, /addressLimit wants/],
    [{ addressLimit: 1_000_001 }, /addressLimit wants/],
    [{ accountWindow: 32 * 24 * 3600 }, /accountWindow wants whole seconds from 1 to 2678400/],
    [{ addressWindow: Number.NaN }, /addressWindow wants whole seconds/],
    [{ firstDelay: 61, longestDelay: 60 }, /firstDelay must not be longer/],
    [{ forgetAfter: 60 }, /forgetAfter must not be shorter/],
    [{ pairLimit: 40 }, /pairLimit would do nothing/],
    [{ pairLimit: 20, pairWindow: 1800 }, /pairLimit would do nothing/],
    [{ deviceTtl: 401 * 24 * 3600 }, /deviceTtl wants whole seconds from 1 to 34560000/],
    [{ deviceName: 'a name' }, /name wants the name of a cookie/],
  ]
  for (const [options, message] of refusedOptions) {
    await t.rejects(start(t, options), { code: 'OPTION_INVALID', message }, JSON.stringify(options))
  }
  const { app } = await start(t, { accountLimit: 1_000_000, accountWindow: 10_000, longestDelay: 30 })
  t.ok(app.throttle)
  const without = await start(t, undefined, { throttle: undefined })
  t.notOk(without.app.hasDecorator('throttle'), 'who does not ask for it has none')
})

test('an application’s own login is limited as its options say', async (t) => {
  const options = { accountLimit: 2, firstDelay: 5, longestDelay: 10, deviceName: 'known', deviceTtl: 60 }
  const { app, clock } = await start(t, options)
  t.strictSame(await statuses(app, '/login', [WRONG, WRONG, RIGHT]), [401, 401, 429])
  const refused = await post(app, '/login', RIGHT)
  t.match(refused.json(), { code: 'THROTTLED', statusCode: 429 })
  for (const delay of ['5', '10', '10']) {
    t.equal((await post(app, '/login', RIGHT)).headers['retry-after'], delay)
    clock.advance(Number(delay))
    t.equal((await post(app, '/login', WRONG)).statusCode, 401)
  }
  clock.advance(10)
  const granted = await post(app, '/login', RIGHT)
  t.match(
    granted.cookies.find(({ name }) => name === 'known'),
    { maxAge: 60, httpOnly: true },
  )
  const bodies = [
    { username: ['alice'], password: 'x' },
    { username: 'alice', password: 5 },
  ]
  t.strictSame(await statuses(app, '/login', bodies), [401, 401], 'what is no text is no password')
  const empty = await app.inject({ method: 'POST', url: '/login' })
  t.strictSame([empty.statusCode, empty.json().code], [401, 'CREDENTIALS_REFUSED'], 'and no body is none')
  await t.rejects(
    // A mode that is not there is a mistake before anything is counted.
    app.throttle.signIn(Object.create(null), 'cooky' as 'cookie', RIGHT),
    { code: 'MODE_UNKNOWN' },
  )
})

test('a guess that is right is taken off, a wrong one is counted, and a fault is none', async (t) => {
  const { app, clock } = await start(t, { accountLimit: 2 })
  const login = await post(app, '/login', RIGHT)
  const cookie = cookieOf(login)
  const says = (...all: (string | number)[]) =>
    statuses(
      app,
      '/guess',
      all.map((status) => ({ status })),
      cookie,
    )
  t.strictSame(await says('done', 'error', 503, 500), [200, 500, 503, 500])
  t.strictSame(await says('null', 'done', 422, 'done'), [401, 200, 422, 429])
  clock.advance(60)
  t.strictSame(
    await says('done', 'done', 'null', 'done'),
    [200, 200, 401, 429],
    'none of which reset anything',
  )
  const withDevice = `${cookie}; ${deviceOf(login)}`
  const known = await statuses(app, '/guess', [{ status: 'done' }, { status: 'null' }], withDevice)
  t.strictSame(known, [200, 401], 'a device that is known has a count of its own here, too')
})

/** What a route answers to attempts that end so, one after the other. */
const sayingTo =
  (app: FastifyInstance) =>
  (url: string, ...ends: (string | number)[]) =>
    statuses(
      app,
      url,
      ends.map((status) => ({ status })),
    )

test('by address: refusals alone, or whatever was tried', async (t) => {
  const { app, clock } = await start(t, { addressLimit: 3 })
  const says = sayingTo(app)
  t.strictSame(await says('/failures', 'done', 503, 'done', 'done', 409), [200, 503, 200, 200, 409])
  t.strictSame(await says('/all', 503, 'done', 'done', 'done'), [503, 200, 200, 429])
  t.strictSame(await says('/failures', 'done'), [429], 'one count for both')
  clock.advance(900)
  t.strictSame(await says('/all', 409, 422, 'done', 'done'), [409, 422, 200, 429])
})

test('by address afterwards: only what was refused is counted, and none after the limit is looked at', async (t) => {
  const { app, clock } = await start(t, { addressLimit: 3 })
  const says = sayingTo(app)
  const few = ['done', 503, 'error', 409, 'done', 422, 'done'] as const
  t.strictSame(await says('/afterwards', ...few), [200, 503, 500, 409, 200, 422, 200])
  t.strictSame(await says('/failures', 'done', 401), [200, 401], 'one count with the others')
  t.strictSame(await says('/afterwards', 'done', 409), [429, 429])
  clock.advance(900)
  const storm = await Promise.all(Array.from({ length: 5 }, () => says('/afterwards', 409)))
  t.ok(storm.flat().filter((status) => status === 409).length >= 3)
  t.strictSame(await says('/afterwards', 'done'), [429], 'however many came at once')
})

test('what is counted stands where the state is, and beside a store of one’s own in the process', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const states = [
    { redis: client },
    { redisUrl: redis.url },
    { dataDir: makeDataDir(t) },
    { store: createMemoryStore() },
  ]
  for (const state of states) {
    const { app } = await start(t, { accountLimit: 1, firstDelay: 1, longestDelay: 1 }, { state })
    const username = `nobody in ${Object.keys(state)}`
    t.strictSame(
      await statuses(app, '/login', [
        { ...WRONG, username },
        { ...WRONG, username },
      ]),
      [401, 429],
    )
    await app.close()
  }
  t.equal(
    (await client.keys('fid:th:*')).length,
    10,
    'two for each of two names, their pairs, and the address',
  )
  t.notMatch(await client.keys('*'), /nobody|127\.0/)
})

/** Through a Unix socket there is no address of the client, as there is none of a client that has gone. */
function postThrough(socketPath: string, path: string, body: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const asked = httpRequest({ socketPath, path, method: 'POST', headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    asked.on('error', reject).end(JSON.stringify(body))
  })
}

test('who has no address, as behind a Unix socket, can sign in, and is counted as one', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const dataDir = makeDataDir(t)
  const inRedis = { redisUrl: redis.url, referenceClock: new TestClock().read }
  for (const state of [{ dataDir }, inRedis, { memory: true } as const]) {
    const { app } = await start(t, { accountLimit: 2, addressLimit: 3 }, { state })
    const path = join(makeDataDir(t), 'http.sock')
    await app.listen({ path })
    const statuses: number[] = []
    for (const who of [
      RIGHT,
      WRONG,
      WRONG,
      RIGHT,
      { ...WRONG, username: 'bob' },
      { ...WRONG, username: 'eve' },
    ])
      statuses.push(await postThrough(path, '/login', who))
    t.strictSame(statuses, [200, 401, 401, 429, 401, 429], Object.keys(state).join())
    t.match(await app.signIns.list(ALICE.id), [{ ip: '' }])
    await app.close()
  }
})

test('a queue that is full gives every attempt back, however many come at once', async (t) => {
  let busy = true
  const verify = async () => {
    if (busy) throw new Busy()
    return null
  }
  const accounts = { ...accountSource, verify }
  const { app } = await start(t, { accountLimit: 5 }, { accounts })
  const storm = () => Promise.all(Array.from({ length: 40 }, () => post(app, '/login', WRONG)))
  const shed = await storm()
  t.ok(shed.every(({ statusCode }) => statusCode === 503 || statusCode === 429))
  busy = false
  const answers = (await storm()).map(({ statusCode }) => statusCode)
  t.equal(answers.filter((status) => status === 401).length, 5)
})

test('what the hasher would shed is shed before it is counted', async (t) => {
  const busy = { isBusy: () => state.isBusy, ...accountSource }
  const state = { isBusy: true }
  const { app } = await start(t, { accountLimit: 2 }, { accounts: busy })
  const shed = await post(app, '/login', WRONG)
  t.match(shed, { statusCode: 503, headers: { 'retry-after': '1' } })
  t.equal(shed.json().code, 'BUSY')
  t.same(await statuses(app, '/login', [WRONG, WRONG, WRONG]), [503, 503, 503])
  state.isBusy = false
  t.same(await statuses(app, '/login', [WRONG, WRONG, WRONG]), [401, 401, 429], 'none of them was an attempt')
})
