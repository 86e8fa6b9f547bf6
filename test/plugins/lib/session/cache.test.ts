import t from 'tap'
import { sessionKeyOf } from '../../../../plugins/lib/session/cookie.js'
import type { StateStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { caughtUp, eventually, openFollowed } from '../../../helpers/followed.js'
import { startRedis } from '../../../helpers/redis-server.js'
import {
  ALICE,
  BOB,
  cookieOf,
  makeGate,
  OTHER_SECRET,
  SECRET,
  type SessionApp,
  START,
  sessionApp,
} from '../../../helpers/session-app.js'

/** What a use of a kept session asks a store that has no revision: for its sign-in, and for its newest id. */
const ASKED = ['isLive', 'isLive']

const MINUTE = 60_000

/** Two applications over one store, with one clock. */
async function two(t: Parameters<typeof sessionApp>[0], store: StateStore, session = {}) {
  const clock = { now: START }
  const here = await sessionApp(t, { store, clock, session })
  const there = await sessionApp(t, { store, clock, session })
  const reads = (s: SessionApp) => s.calls.filter((name) => name === 'readSession').length
  return { here, there, clock, reads }
}

t.test('an identity is kept for five minutes, then its record is read again', async (t) => {
  const { here, there, clock, reads } = await two(t, createMemoryStore(), { idleTtl: 7200 })
  const cookie = await here.login()
  for (const [at, expected] of [
    [0, 1],
    [5 * MINUTE - 1, 1],
    [5 * MINUTE, 2],
    [10 * MINUTE - 1, 2],
    [MINUTE, 3],
  ] as const) {
    clock.now = START + at
    t.equal((await there.me(cookie)).statusCode, 200)
    t.equal(reads(there), expected, `at ${at}`)
  }
})

t.test('an idle limit that another instance moved is looked up before anybody is refused', async (t) => {
  const { here, there, clock } = await two(t, createMemoryStore(), { idleTtl: 100 })
  const cookie = await here.login()
  t.equal((await there.me(cookie)).statusCode, 200)
  clock.now += 60_000
  t.equal((await here.me(cookie)).statusCode, 200)
  await eventually(() => here.calls.includes('touchSession'))
  clock.now += 60_000
  t.equal((await there.me(cookie)).statusCode, 200, 'past the limit that this one knew of')
  await eventually(() => there.calls.includes('touchSession'))
  clock.now += 99_999
  t.equal((await here.me(cookie)).statusCode, 200)
  clock.now += 100_000
  t.equal((await here.me(cookie)).json().code, 'SIGNED_OUT')
})

t.test('a session is touched once for each tenth of its idle time, and read no more than that', async (t) => {
  const s = await sessionApp(t, { session: { idleTtl: 1000 } })
  const cookie = await s.login()
  s.calls.length = 0
  for (let second = 1; second <= 200; second++) {
    s.clock.now = START + second * 1000
    t.equal((await s.me(cookie)).statusCode, 200)
  }
  const count = (call: string) => s.calls.filter((name) => name === call).length
  t.strictSame([count('touchSession'), count('readSession')], [2, 2])
})

t.test('absolute limits hold under constant use', async (t) => {
  const s = await sessionApp(t, { session: { idleTtl: 100, absoluteTtl: 250 } })
  const cookie = await s.login()
  for (let second = 0; second < 250; second += 5) {
    s.clock.now = START + second * 1000
    t.equal((await s.me(cookie)).statusCode, 200)
  }
  s.clock.now = START + 250_000
  t.equal((await s.me(cookie)).json().code, 'SIGNED_OUT')
})

t.test('a record that was read while its owner logged out lets nobody in', async (t) => {
  const store = createMemoryStore()
  const gate = makeGate()
  const arrived = makeGate()
  const slow = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'readSession' || typeof value !== 'function') {
        return typeof value === 'function' ? value.bind(target) : value
      }
      return async (...args: unknown[]) => {
        const record = await Reflect.apply(value, target, args)
        arrived.open()
        await gate.opened
        return record
      }
    },
  })
  const here = await sessionApp(t, { store })
  const there = await sessionApp(t, { store: slow })
  const cookie = await here.login()
  const reading = there.me(cookie)
  await arrived.opened
  await here.post('/logout', cookie)
  gate.open()
  t.equal((await reading).json().code, 'SIGNED_OUT')
  t.equal((await there.me(cookie)).json().code, 'SIGNED_OUT')
})

t.test('a session that does not exist is asked for once in two seconds', async (t) => {
  const { here, there, clock, reads } = await two(t, createMemoryStore())
  const cookie = await here.login()
  await here.post('/logout', cookie)
  for (let index = 0; index < 20; index++) t.equal((await there.me(cookie)).json().code, 'SIGNED_OUT')
  t.equal(reads(there), 1)
  clock.now += 2000
  t.equal((await there.me(cookie)).json().code, 'SIGNED_OUT')
  t.equal(reads(there), 2)
  for (let index = 0; index < 20; index++) {
    t.equal((await there.me(await here.login())).statusCode, 200, 'and one that is new is known at once')
  }
})

/** The id in a session's cookie. */
const idOf = (cookie: string) => cookie.split('.')[2] ?? ''

t.test('sessions that are read at the same moment are not taken for one another', async (t) => {
  const store = createMemoryStore()
  const gate = makeGate()
  const slow = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const call = (...args: unknown[]) => Reflect.apply(value, target, args)
      if (name !== 'readSession') return call
      return (...args: unknown[]) => gate.opened.then(() => call(...args))
    },
  })
  const here = await sessionApp(t, { store })
  const there = await sessionApp(t, { store: slow })
  const cookies = [await here.login(ALICE), await here.login(BOB), await here.login(ALICE)]
  const reading = Promise.all([...cookies, ...cookies].map((cookie) => there.me(cookie)))
  setImmediate(gate.open)
  const ids = (await reading).map((answer) => `${answer.json().accountId} ${answer.json().signInId}`)
  t.equal(new Set(ids).size, cookies.length)
  t.strictSame(ids.slice(cookies.length), ids.slice(0, cookies.length), 'twice each')
  t.match(ids, [/^a-1 /, /^b-2 /, /^a-1 /])
  const cached = await Promise.all(cookies.map((cookie) => there.me(cookie)))
  t.strictSame(
    cached.map((answer) => `${answer.json().accountId} ${answer.json().signInId}`),
    ids.slice(0, cookies.length),
  )
})

t.test('a sign-out of a session whose record was lost ends it, although it is kept', async (t) => {
  const s = await sessionApp(t)
  const cookie = await s.login()
  t.equal((await s.me(cookie)).statusCode, 200)
  // As a Redis does that evicts what has a TTL.
  t.ok(await s.store.destroySession(sessionKeyOf(idOf(cookie))))
  t.equal((await s.me(cookie)).statusCode, 200, 'nobody has looked')
  s.failing.add('endSignIn')
  t.equal((await s.post('/logout', cookie)).statusCode, 503)
  t.equal((await s.me(cookie)).statusCode, 200, 'nothing was claimed')
  s.failing.clear()
  t.strictSame((await s.post('/logout', cookie)).json(), { ended: true })
  t.equal((await s.me(cookie)).json().code, 'SIGNED_OUT')
  t.strictSame(await s.store.listSignIns(ALICE.id, START), [])
})

t.test(
  'once a route has found that a record was lost, the session is not answered from memory',
  async (t) => {
    const s = await sessionApp(t)
    const cookie = await s.login()
    t.ok(await s.store.destroySession(sessionKeyOf(idOf(cookie))))
    t.equal((await s.me(cookie)).statusCode, 200, 'nobody has looked')
    t.strictSame(await s.data(cookie), {})
    t.equal((await s.me(cookie)).json().code, 'SIGNED_OUT')
    s.clock.now += 2000
    t.equal((await s.me(cookie)).json().code, 'SIGNED_OUT', 'read again')
  },
)

t.test('a visitor who is not signed in is asked for that each time', async (t) => {
  const s = await sessionApp(t)
  const cookie = await s.write({ cart: ['pear'] })
  for (let times = 0; times < 3; times++) t.equal((await s.me(cookie)).json().code, 'NOT_SIGNED_IN')
})

t.test('a record under an old key, and a cookie under one, are kept once they are renewed', async (t) => {
  const store = createMemoryStore()
  const old = await sessionApp(t, { store, secrets: [SECRET] })
  const cookie = await old.login()
  const s = await sessionApp(t, { store, secrets: [OTHER_SECRET, SECRET] })
  const renewed: string[] = []
  s.failing.add('replaceSession')
  for (let times = 0; times < 3; times++) renewed.push(cookieOf(await s.me(cookie)) ?? 'not renewed')
  t.equal(new Set(renewed).size, 1, 'whoever comes with the old one gets the new one')
  const [fresh = ''] = renewed
  t.match(fresh, /^session=v1/)
  const replaced = () => s.calls.filter((call) => call === 'replaceSession').length
  const tried = replaced()
  t.equal((await s.me(fresh)).statusCode, 200)
  await eventually(() => replaced() === tried + 1)
  s.failing.clear()
  t.equal((await s.me(fresh)).statusCode, 200)
  await eventually(() => replaced() === tried + 2)
  await s.me(fresh)
  s.calls.length = 0
  t.equal((await s.me(fresh)).statusCode, 200)
  t.strictSame(s.calls, ASKED)
  for (let times = 0; times < 2; times++) {
    t.equal(cookieOf(await s.me(cookie)), fresh, 'the old cookie is not kept: it has the new one set')
  }
})

t.test('in its last stretch, where its idle limit moves no more, a session is kept as well', async (t) => {
  const s = await sessionApp(t, { session: { idleTtl: 100, absoluteTtl: 100 } })
  const cookie = await s.login()
  s.clock.now = START + 99_999
  s.calls.length = 0
  t.equal((await s.me(cookie)).statusCode, 200)
  t.strictSame(s.calls, [...ASKED, 'touchSignIn'], 'and noted when it was seen')
  s.clock.now = START + 100_000
  t.equal((await s.me(cookie)).json().code, 'SIGNED_OUT')
})

t.test('data is read from the store, whatever is kept of the identity', async (t) => {
  const { here, there } = await two(t, createMemoryStore())
  const cookie = await here.login()
  await there.me(cookie)
  await here.write({ cart: ['pear'] }, cookie)
  t.strictSame(await there.data(cookie), { cart: ['pear'] })
  await there.write({ cart: ['plum'] }, cookie)
  t.strictSame(await here.data(cookie), { cart: ['plum'] })
})

t.test('no more than sessionCache are kept, those in use before the others', async (t) => {
  const s = await sessionApp(t, { session: { sessionCache: 10 } })
  const used = await s.login()
  for (let index = 0; index < 40; index++) {
    await s.login()
    s.calls.length = 0
    t.equal((await s.me(used)).statusCode, 200)
    t.strictSame(s.calls, ASKED, 'stays')
  }
  const unused = await s.login()
  for (let index = 0; index < 10; index++) await s.login()
  s.calls.length = 0
  t.equal((await s.me(unused)).statusCode, 200)
  t.strictSame(s.calls, ['readSession', 'isLive'], 'was dropped')
  for (const sessionCache of [0, 1, 1.5, Number.NaN]) {
    await t.rejects(sessionApp(t, { session: { sessionCache } }), { code: 'OPTION_INVALID' })
  }
})

t.test(
  'over Redis: an uncached session is one command for all who ask, a cached one none, and data one',
  async (t) => {
    const server = await startRedis()
    t.teardown(() => server.stop())
    const here = await openFollowed(t, server.url)
    const there = await openFollowed(t, server.url)
    const one = await sessionApp(t, { store: here.store })
    const other = await sessionApp(t, { store: there.store })
    const cookie = await one.login()
    const counted = async (work: () => Promise<unknown>) => {
      await here.client.config('RESETSTAT')
      await work()
      const lines = (await here.client.info('commandstats')).match(
        /cmdstat_(?:get|set|zmscore|del):calls=\d+/g,
      )
      return lines ?? []
    }
    const asks = (count: number) => Promise.all(Array.from({ length: count }, () => other.me(cookie)))
    t.strictSame(await counted(() => asks(100)), ['cmdstat_get:calls=1'])
    t.strictSame(await counted(() => asks(100)), [])
    t.strictSame(await counted(() => other.data(cookie)), ['cmdstat_get:calls=1'])
    const visitor = await one.login(ALICE)
    t.strictSame(await counted(() => other.me(visitor)), ['cmdstat_get:calls=1'])
    await one.post('/logout', cookie)
    await caughtUp(here.store, there.store)
    t.strictSame(
      await counted(async () => {
        for (const answer of await asks(100)) t.equal(answer.json().code, 'SIGNED_OUT')
      }),
      [],
      'one that was ended costs nothing either',
    )
  },
)

t.test('a read that fails, fails for all who asked, and is not remembered', async (t) => {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const { store } = await openFollowed(t, server.url, { commandTimeout: 200 })
  const { store: other } = await openFollowed(t, server.url)
  const one = await sessionApp(t, { store: other })
  const s = await sessionApp(t, { store })
  const cookie = await one.login()
  server.pause()
  const answers = await Promise.all(Array.from({ length: 20 }, () => s.me(cookie)))
  t.ok(answers.every(({ statusCode }) => statusCode === 503))
  server.resume()
  await eventually(async () => (await s.me(cookie)).statusCode === 200)
})
