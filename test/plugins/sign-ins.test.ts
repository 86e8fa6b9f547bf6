import Fastify from 'fastify'
import t, { type Test } from 'tap'
import type { SignInRef } from '../../plugins/lib/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import signIns, { type SignInStart } from '../../plugins/sign-ins.js'
import { listen, sendRaw } from '../helpers/http.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  refused,
  START,
  type SuiteOptions,
  sessionMode,
  TestClock,
  tokenMode,
} from '../helpers/suite.js'

const MINUTE = 60_000
/** How far clocks may differ: an end is kept for so long, and a sweep leaves it for as long again. */
const MARGIN = 3_600_000

/** Routes hand out what begins a sign-in: `app.signIns.begin` wants a request. */
async function signInsApp(t: Test, options: Partial<SuiteOptions> = {}) {
  const suite = await buildSuite(t, {
    modes: [cookieMode()],
    ...options,
    routes(app) {
      app.post<{ Body: Partial<SignInStart> }>('/begin', async (request) =>
        app.signIns.begin(request, {
          mode: 'cookie',
          account: { id: ALICE.id, username: 'alice', role: 'admin', epoch: 0 },
          options: {},
          absoluteTtl: 600,
          ...request.body,
        }),
      )
    },
  })
  const begin = async (start: object = {}, headers = {}) =>
    (await suite.post('/begin', headers, start)).json()
  return { ...suite, begin }
}

const refOf = (record: { accountId: string; id: string; epoch: number; generation: number }): SignInRef => ({
  accountId: record.accountId,
  signInId: record.id,
  epoch: record.epoch,
  generation: record.generation,
})

t.test('a sign-in is stored with its limits and where it came from', async (t) => {
  const { begin, app, store } = await signInsApp(t)
  const record = await begin({ idleTtl: 60 }, { 'user-agent': 'u'.repeat(1000) })
  t.match(record.id, /^[\w-]{22}$/)
  t.strictSame(record, {
    id: record.id,
    accountId: ALICE.id,
    mode: 'cookie',
    epoch: 0,
    generation: await store.generation(),
    createdAt: START,
    lastSeenAt: START,
    idleExpiresAt: START + MINUTE,
    absoluteExpiresAt: START + 10 * MINUTE,
    ip: '127.0.0.1',
    userAgent: 'u'.repeat(256),
    sessionKey: null,
    refresh: null,
    claims: null,
    factors: [{ method: 'password', at: START }],
  })
  t.same(await app.signIns.find(ALICE.id, record.id), record)
})

t.test('a client without a user agent is stored all the same', async (t) => {
  const { app } = await signInsApp(t)
  const port = await listen(app)
  const answer = await sendRaw(
    port,
    'POST /begin HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
  )
  t.match(answer, /"userAgent":""/)
})

t.test('without a clock it goes by the time of day', async (t) => {
  const { begin } = await signInsApp(t, { signIns: { clock: undefined } })
  const before = Date.now()
  const { createdAt } = await begin()
  t.ok(createdAt >= before && createdAt <= Date.now())
})

t.test('the idle limit is never later than the absolute one', async (t) => {
  const { begin } = await signInsApp(t)
  t.equal((await begin({ idleTtl: 9999 })).idleExpiresAt, START + 10 * MINUTE)
})

t.test('what a mode adds is stored with it', async (t) => {
  const { begin } = await signInsApp(t)
  const record = await begin({ sessionKey: 'k', refreshKeyId: 'key', claims: { team: 7 } })
  t.match(record, {
    sessionKey: 'k',
    refresh: { counter: 0, keyId: 'key', rotatedAt: START },
    claims: { team: 7 },
  })
})

t.test('ids are never given twice', async (t) => {
  const { begin } = await signInsApp(t)
  const ids = await Promise.all(Array.from({ length: 50 }, async () => (await begin()).id))
  t.equal(new Set(ids).size, 50)
})

t.test('no sign-in outlives the memory of its end', async (t) => {
  const clock = new TestClock()
  const store = createMemoryStore()
  const suite = await buildSuite(t, {
    modes: [cookieMode({ ttl: 1000, rememberTtl: 10_000, absoluteTtl: 10_000 })],
    signIns: { longestTtl: 600 },
    clock,
    store,
  })
  for (const remember of [false, true]) {
    clock.now = START
    const answer = await suite.signIn('cookie', { remember })
    t.equal(answer.cookies[0]?.maxAge, 600)
    t.equal(answer.json().issued.expiresIn, 600)
    const headers = cookieHeader(answer)
    await suite.signOut('cookie', headers)
    clock.advance(599)
    await store.sweep(clock.now + 2 * MARGIN)
    refused(t, await suite.me(headers), 401, 'SIGNED_OUT', 'also where a clock is two hours ahead')
    clock.advance(1)
    await store.sweep(clock.now + 2 * MARGIN)
    refused(t, await suite.me(headers), 401, 'CREDENTIAL_EXPIRED', 'after the end was forgotten')
  }
})

t.test('one list, whatever the mode', async (t) => {
  const clock = new TestClock()
  const suite = await buildSuite(t, { modes: [tokenMode(), sessionMode(), cookieMode()], clock })
  for (const mode of ['token', 'session', 'cookie']) {
    await suite.signIn(mode)
    clock.advance(1)
  }
  await suite.signIn('cookie', { account: BOB })
  const modes = async (id: string) => (await suite.app.signIns.list(id)).map(({ mode }) => mode)
  t.strictSame(await modes(ALICE.id), ['cookie', 'session', 'token'], 'newest first')
  t.strictSame(await modes(BOB.id), ['cookie'])
  t.strictSame(await modes('nobody'), [])
  clock.advance(3600)
  t.strictSame(await modes(ALICE.id), ['session', 'token'], 'without those past their limits')
})

t.test('ending', async (t) => {
  t.test('one says whether there was a record, and holds without one', async (t) => {
    const { begin, app } = await signInsApp(t)
    const record = await begin()
    t.equal(await app.signIns.isLive(refOf(record)), true)
    t.equal(await app.signIns.end(refOf(record)), true)
    t.equal(await app.signIns.isLive(refOf(record)), false)
    t.equal(await app.signIns.end(refOf(record)), false)
    const unknown = { ...refOf(record), signInId: 'without-a-record' }
    t.equal(await app.signIns.end(unknown), false)
    t.equal(await app.signIns.isLive(unknown), false)
    t.equal(await app.signIns.find(ALICE.id, record.id), null)
  })

  t.test('all says how many, and spares the one that is named', async (t) => {
    const { begin, app } = await signInsApp(t)
    const [kept, ...others] = [await begin(), await begin(), await begin()]
    t.equal(await app.signIns.endAll(ALICE.id, kept.id), 2)
    t.equal(await app.signIns.isLive(refOf(kept)), true)
    for (const record of others) t.equal(await app.signIns.isLive(refOf(record)), false)
    t.equal(await app.signIns.endAll(BOB.id), 0)
    t.equal(await app.signIns.endAll(ALICE.id), 1)
    t.equal(await app.signIns.isLive(refOf(kept)), false)
  })

  t.test('is remembered until no credential can be left', async (t) => {
    const { begin, app, store, clock } = await signInsApp(t, { signIns: { longestTtl: 600 } })
    const unknown = { ...refOf(await begin()), signInId: 'without-a-record' }
    await app.signIns.end(unknown)
    await store.sweep(clock.now + 599_999 + 2 * MARGIN)
    t.equal(await app.signIns.isLive(unknown), false)
    await store.sweep(clock.now + 600_000 + 2 * MARGIN)
    t.equal(await app.signIns.isLive(unknown), true, 'forgotten: its expiry is what refuses it')
  })
})

t.test('a raised epoch', async (t) => {
  t.test('refuses what began below it first, then takes the records away', async (t) => {
    const { store, calls } = faultyStore(createMemoryStore())
    const { begin, app } = await signInsApp(t, { store })
    const [spared, old] = [await begin(), await begin()]
    const fresh = await begin({ account: { id: ALICE.id, username: 'alice', role: 'admin', epoch: 2 } })
    calls.length = 0
    t.equal(await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 2 }, { spare: spared.id }), 1)
    t.strictSame(calls, ['raiseEpoch', 'endSignIns'])
    t.equal(await app.signIns.isLive(refOf(old)), false)
    t.equal(await app.signIns.find(ALICE.id, old.id), null)
    for (const record of [spared, fresh]) t.equal(await app.signIns.isLive(refOf(record)), true)
    t.same(new Set((await app.signIns.list(ALICE.id)).map(({ id }) => id)), new Set([spared.id, fresh.id]))
    t.equal(await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 2 }, { spare: spared.id }), 0, 'again')
    t.equal(await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 3 }), 2)
    t.strictSame(await app.signIns.list(ALICE.id), [])
  })

  t.test('ends what no list shows: a record that came after it', async (t) => {
    const { begin, app } = await signInsApp(t)
    const early = await begin()
    await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 })
    // As a login writes it that another instance had under way.
    await app.stateStore.addSignIn(early)
    t.equal(await app.signIns.isLive(refOf(early)), false)
    t.strictSame(await app.signIns.list(ALICE.id), [])
  })

  t.test('refuses a sign-in that hands on a lower one, aloud, and ends nothing for it', async (t) => {
    const log: string[] = []
    const { begin, app, store } = await signInsApp(t, {
      server: { logger: { stream: { write: (line: string) => void log.push(line) } } },
    })
    const earlier = { account: { id: ALICE.id, username: 'alice', role: 'admin', epoch: 2 } }
    const before = await begin(earlier)
    await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 2 })
    const options = { replaces: { accountId: ALICE.id, signInId: before.id } }
    const late = await begin({ options })
    t.match(late, { code: 'EPOCH_PASSED', statusCode: 500 })
    t.equal(await app.signIns.isLive(refOf(before)), true, 'what it would have replaced lives')
    t.match(await store.listSignIns(ALICE.id, START), [{ id: before.id }], 'and it is on no list')
    const warnings = log.filter((line) => line.includes('"level":40'))
    t.equal(warnings.length, 1)
    t.match(warnings[0], /"accountId":"account-alice","epoch":0.*verify and find/)
    t.match(await begin(earlier), { epoch: 2 }, 'with the raised one')
  })

  t.test('refuses it in every mode, without a credential', async (t) => {
    const suite = await buildSuite(t, {
      modes: [cookieMode(), sessionMode(), tokenMode()],
      routes(app) {
        app.post<{ Body: { mode: 'cookie' } }>('/in', (request) => request.signIn(request.body.mode, ALICE))
      },
    })
    await suite.app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 })
    for (const mode of ['cookie', 'session', 'token']) {
      const answer = await suite.post('/in', {}, { mode })
      refused(t, answer, 500, 'EPOCH_PASSED')
      t.equal(answer.headers['set-cookie'], undefined)
    }
    t.strictSame(await suite.store.listSignIns(ALICE.id, START), [])
  })

  t.test('that is known of no more, with the whole list, is a fault of the store', async (t) => {
    const { store } = faultyStore(createMemoryStore())
    const { begin, app } = await signInsApp(t, { store })
    const { isLive } = store
    const { generation } = await begin()
    const generations = [generation, generation + 1]
    store.generation = () => generations.shift() ?? generation + 1
    store.isLive = (ref) => ref.generation === generation + 1
    t.match(await begin(), { code: 'STORE_UNAVAILABLE', statusCode: 503 })
    store.isLive = isLive
    t.equal((await app.stateStore.listSignIns(ALICE.id, START)).length, 1)
  })

  t.test('one that was ended by its id while it began is no fault', async (t) => {
    const { store } = faultyStore(createMemoryStore())
    const { begin, app } = await signInsApp(t, { store })
    const { addSignIn } = store
    store.addSignIn = async (record) => {
      const count = await addSignIn.call(store, record)
      await app.signIns.endAll(record.accountId)
      return count
    }
    t.match(await begin(), { accountId: ALICE.id })
  })

  t.test('is remembered until no credential can be left', async (t) => {
    const { begin, app, store, clock } = await signInsApp(t, { signIns: { longestTtl: 600 } })
    const record = await begin()
    await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 })
    // Only the epoch refuses this one.
    const other = { ...refOf(record), signInId: 'without-a-record' }
    await store.sweep(clock.now + 599_999 + 2 * MARGIN)
    t.equal(await app.signIns.isLive(other), false)
    await store.sweep(clock.now + 600_000 + 2 * MARGIN)
    t.equal(await app.signIns.isLive(other), true, 'forgotten: its expiry is what refuses it')
  })

  t.test('that can end nothing is refused by name', async (t) => {
    const { app } = await signInsApp(t)
    for (const epoch of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const raise = app.signIns.raiseEpoch({ id: ALICE.id, epoch })
      await t.rejects(raise, { code: 'OPTION_INVALID', message: /epoch/ }, `${epoch}`)
    }
  })

  t.test('that is not stored ends nothing', async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const { begin, app } = await signInsApp(t, { store })
    const record = await begin()
    failing.add('raiseEpoch')
    const raise = app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 })
    await t.rejects(raise, { code: 'STORE_UNAVAILABLE', statusCode: 503 })
    t.equal(await app.signIns.isLive(refOf(record)), true)
    t.match(await app.signIns.list(ALICE.id), [{ id: record.id }])
  })
})

t.test('a touch moves last-seen and the idle limit, of a sign-in that exists', async (t) => {
  const { begin, app, clock } = await signInsApp(t)
  const record = await begin({ idleTtl: 60 })
  clock.advance(30)
  t.equal(await app.signIns.touch(refOf(record), 60), true)
  t.match(await app.signIns.find(ALICE.id, record.id), {
    lastSeenAt: START + MINUTE / 2,
    idleExpiresAt: START + MINUTE / 2 + MINUTE,
  })
  t.equal(await app.signIns.touch({ ...refOf(record), signInId: 'another' }, 60), false)
})

t.test('a rotation is judged at the injected time', async (t) => {
  const { begin, app, clock } = await signInsApp(t)
  const record = await begin({ refreshKeyId: 'key' })
  const rotate = (presented: number) =>
    app.signIns.rotate(ALICE.id, record.id, { presented, keyId: 'key', grace: 10_000 })
  t.match(await rotate(0), { outcome: 'rotated', signIn: { refresh: { counter: 1, rotatedAt: START } } })
  clock.advance(9)
  t.match(await rotate(0), { outcome: 'repeated' })
  clock.advance(1)
  t.match(await rotate(0), { outcome: 'reused' })
  clock.advance(600)
  t.same(await rotate(1), { outcome: 'gone' })
})

t.test('whether a sign-in lives is never a thenable that passes for yes', async (t) => {
  let isLive = true
  const refusing = new Proxy(createMemoryStore(), {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      // biome-ignore lint/suspicious/noThenProperty: a driver's own promise
      if (name === 'isLive') return () => ({ then: (done: (is: boolean) => void) => done(isLive) })
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const suite = await buildSuite(t, { modes: [cookieMode()], store: refusing })
  const headers = cookieHeader(await suite.signIn('cookie'))
  isLive = false
  refused(t, await suite.me(headers), 401, 'SIGNED_OUT')
})

t.test('answers without a promise where the store does', async (t) => {
  const { begin, app } = await signInsApp(t)
  const record = await begin()
  t.equal(app.signIns.isLive(refOf(record)), true)
  const slow = await signInsApp(t, { store: faultyStore(createMemoryStore(), { promises: true }).store })
  t.type(slow.app.signIns.isLive(refOf(await slow.begin())), Promise)
})

t.test('every method hands on that the store cannot answer', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore())
  const { begin, app } = await signInsApp(t, { store })
  const record = await begin()
  for (const operation of [
    'generation',
    'isLive',
    'addSignIn',
    'findSignIn',
    'listSignIns',
    'touchSignIn',
    'rotateRefresh',
    'endSignIn',
    'endSignIns',
    'raiseEpoch',
  ] as const) {
    failing.add(operation)
  }
  const rotation = { presented: 0, keyId: 'key', grace: 0 }
  const { signIns } = app
  for (const call of [
    () => signIns.isLive(refOf(record)),
    () => signIns.find(ALICE.id, record.id),
    () => signIns.list(ALICE.id),
    () => signIns.touch(refOf(record), 60),
    () => signIns.rotate(ALICE.id, record.id, rotation),
    () => signIns.end(refOf(record)),
    () => signIns.endAll(ALICE.id),
    () => signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }),
  ]) {
    await t.rejects(async () => call(), { code: 'STORE_UNAVAILABLE', statusCode: 503 })
  }
  t.equal((await begin()).code, 'STORE_UNAVAILABLE')
})

t.test('a bad option is a refusal at boot, and so is a missing store', async (t) => {
  const longest = (longestTtl: unknown) => ({ longestTtl: longestTtl as number })
  for (const options of [
    longest(0),
    longest(Number.NaN),
    longest(Number.POSITIVE_INFINITY),
    longest('600'),
    { clock: 5 as never },
  ]) {
    const boot = buildSuite(t, { modes: [cookieMode()], signIns: options })
    await t.rejects(boot, { code: 'OPTION_INVALID' }, JSON.stringify(options))
  }
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(signIns)
  await t.rejects(async () => app.ready(), /fastify-identity-stores/)
})

t.test('a misspelt option is refused by name', async (t) => {
  const misspelt = JSON.parse('{"signInCap":5}')
  const message = /signInCap is unknown: there are clock, longestTtl, cap/
  await t.rejects(signInsApp(t, { signIns: misspelt }), { code: 'OPTION_INVALID', message })
})
