import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  handMadeMode,
  headerMode,
  type SuiteOptions,
  sessionMode,
  TestClock,
  tokenMode,
} from '../../../helpers/suite.js'

const FOREIGN = 'session=eyJfcGVybWFuZW50Ijp0cnVlfQ.ZxY1aA.abc'

/** A jar, as a browser keeps it: what it held, and what an answer did to that. */
function after(held: string, { headers }: LightMyRequestResponse): string {
  const pairs = held ? held.split('; ') : []
  const jar = new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair]))
  for (const line of [headers['set-cookie'] ?? []].flat()) {
    const [pair = ''] = line.split(';')
    const name = pair.slice(0, pair.indexOf('='))
    if (/max-age=0/i.test(line)) jar.delete(name)
    else jar.set(name, pair)
  }
  return [...jar.values()].join('; ')
}

async function threeModes(t: Test, options: Partial<SuiteOptions> = {}) {
  const modes = [tokenMode(), sessionMode(), cookieMode()]
  const suite = await buildSuite(t, { modes, ...options })
  const cleared = ({ headers }: LightMyRequestResponse) =>
    [headers['set-cookie'] ?? []].flat().filter((line) => /^session=;.*Max-Age=0/.test(line)).length
  return { ...suite, cleared }
}

t.test('a login by cookie clears a refused session cookie, and the guard lets its owner in', async (t) => {
  const clock = new TestClock()
  const { signIn, me, app, cleared } = await threeModes(t, { clock })
  const sessionOf = async () => cookieHeader(await signIn('session')).cookie ?? ''
  const idle = await sessionOf()
  clock.advance(7201)
  const ended = await sessionOf()
  await app.signIns.endAll(ALICE.id)
  const twice = `${await sessionOf()}; ${await sessionOf()}`
  for (const [what, dead] of Object.entries({ idle, ended, foreign: FOREIGN, twice })) {
    const answer = await signIn('cookie', { account: BOB, headers: { cookie: dead } })
    t.equal(answer.statusCode, 200, what)
    t.equal(cleared(answer), 1, `${what}: cleared, with the attributes it was set with`)
    const jar = after(dead, answer)
    t.match((await me({ cookie: jar })).json(), { username: 'bob', mode: 'cookie' }, `${what}: let in`)
    t.equal(
      (await me({ cookie: dead })).headers['set-cookie'],
      undefined,
      `${what}: a refusal clears nothing`,
    )
  }
})

t.test('what is live stays: a session, and a visitor’s cart', async (t) => {
  const { signIn, me, cleared, post, app } = await threeModes(t, {
    routes: (app: FastifyInstance) => {
      app.post('/cart', { onRequest: app.useSession }, async (request) => {
        request.session.cart = ['pear']
        return 'kept'
      })
      app.get('/cart', { onRequest: app.useSession }, async (request) => ({ cart: request.session.cart }))
    },
  })
  const session = cookieHeader(await signIn('session')).cookie ?? ''
  const live = await signIn('cookie', { account: BOB, headers: { cookie: session } })
  t.equal(cleared(live), 0)
  t.match((await me({ cookie: after(session, live) })).json(), { username: 'alice', mode: 'session' })
  const visitor = cookieHeader(await post('/cart')).cookie ?? ''
  const answer = await signIn('cookie', { headers: { cookie: visitor } })
  t.equal(cleared(answer), 0)
  const cart = await app.inject({ url: '/cart', headers: { cookie: after(visitor, answer) } })
  t.same(cart.json(), { cart: ['pear'] })
})

t.test('a login by token clears no cookie, nor does one by a mode that is asked first', async (t) => {
  const { signIn } = await threeModes(t)
  const dead = { cookie: `${FOREIGN}; identity=junk` }
  t.equal((await signIn('token', { headers: dead })).headers['set-cookie'], undefined)
  const bySession = await signIn('session', { headers: dead })
  t.match(bySession.headers['set-cookie'], /^session=v1/, 'nothing of the auth cookie, which is asked later')
})

t.test('the auth cookie is cleared where it is asked first', async (t) => {
  const { signIn, me } = await threeModes(t, { modes: [cookieMode(), sessionMode()] })
  const answer = await signIn('session', { headers: { cookie: 'identity=junk' } })
  t.match(after('identity=junk', answer), /^session=v1[^;]*$/)
  t.equal((await me({ cookie: after('identity=junk', answer) })).json().mode, 'session')
})

t.test('a refused login clears nothing, and a sign-in that is not stored neither', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore())
  const { signIn } = await threeModes(t, { store })
  failing.add('addSignIn')
  const answer = await signIn('cookie', { headers: { cookie: FOREIGN } })
  t.equal(answer.statusCode, 503)
  t.equal(answer.headers['set-cookie'], undefined)
})

t.test('a fault of the other mode’s store is logged, and clears nothing', async (t) => {
  const lines: string[] = []
  const { store, failing } = faultyStore(createMemoryStore())
  const { signIn, me, cleared } = await threeModes(t, {
    store,
    server: { logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } },
  })
  const session = cookieHeader(await signIn('session')).cookie ?? ''
  // Of another instance: what is in memory here needs no store.
  const other = await threeModes(t, {
    store,
    server: { logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } },
  })
  failing.add('readSession')
  const answer = await other.signIn('cookie', { account: BOB, headers: { cookie: session } })
  t.equal(answer.statusCode, 200, 'the sign-in stands')
  t.equal(cleared(answer), 0)
  t.match(lines.join(''), /"mode":"session".*could not be cleared/)
  t.notMatch(lines.join(''), session.slice('session='.length), 'without the credential')
  failing.clear()
  t.equal((await me({ cookie: session })).json().username, 'alice')
})

t.test('somebody who is signed in by two modes in one answer keeps both', async (t) => {
  const { app, me } = await threeModes(t, {
    routes: (app: FastifyInstance) => {
      app.post('/both', async (request) => {
        await request.signIn('session', ALICE)
        await request.signIn('cookie', ALICE)
        return 'in'
      })
    },
  })
  const answer = await app.inject({ method: 'POST', url: '/both', headers: { cookie: FOREIGN } })
  const jar = after(FOREIGN, answer)
  t.match(jar, /session=v1.*identity=v1/)
  t.equal((await me({ cookie: jar })).json().mode, 'session')
})

t.test('a mode of your own with ambient authority is cleared by its own clear', async (t) => {
  const forgotten: string[] = []
  const badge = (name: 'session' | 'token', ambient: boolean) =>
    handMadeMode(headerMode(name, { ambient, clear: () => void forgotten.push(name) }))
  const { signIn } = await buildSuite(t, {
    modes: [badge('token', false), badge('session', true), cookieMode()],
  })
  await signIn('cookie', { headers: { 'x-token': 'junk', 'x-session': 'junk' } })
  t.strictSame(forgotten, ['session'], 'and one that is sent on purpose is not')
  await signIn('cookie', { headers: { 'x-session': 'bob' } })
  t.equal(forgotten.length, 1, 'nor a live one')
})
