import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import type { GivenFactor } from '../../plugins/lib/contract.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { makeGate, STORES } from '../helpers/session-app.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  type Headers,
  heldStore,
  NEXT_SECRET,
  refused,
  SECRET,
  type Suite,
  type SuiteOptions,
  sessionMode,
  TestClock,
} from '../helpers/suite.js'

/*
 * The id from before a step-up works for ten seconds with its old strength, in every process, and not after.
 */

const carts = (app: FastifyInstance) => {
  app.post<{ Body: { item: string } }>('/cart', { onRequest: app.useSession }, async (request) => {
    request.session.cart = [...(request.session.cart ?? []), request.body.item]
    return request.session.cart
  })
}

const build = (t: Test, options: Partial<SuiteOptions> = {}) =>
  buildSuite(t, { modes: [sessionMode()], routes: carts, ...options })

const methodsOf = (answer: LightMyRequestResponse): string[] =>
  answer.json().factors?.map(({ method }: GivenFactor) => method)

const add = ({ post }: Suite, headers: Headers, item: string) => post('/cart', headers, { item })

for (const [name, open] of Object.entries(STORES)) {
  t.test(
    `over ${name}: the old id is weak for ten seconds, also where it is in a cache, and then over`,
    async (t) => {
      const [store, clock] = [await open(t), new TestClock()]
      const [here, there] = [await build(t, { store, clock }), await build(t, { store, clock })]
      const old = cookieHeader(await here.signIn('session'))
      for (const { me } of [here, there]) t.strictSame(methodsOf(await me(old)), ['password'])
      t.same((await add(there, old, 'tea')).json(), ['tea'])
      const answer = await here.stepUp(old, ['totp'])
      const strong = cookieHeader(answer)
      t.not(strong.cookie, old.cookie)
      for (const suite of [here, there]) {
        t.strictSame(methodsOf(await suite.me(strong)), ['password', 'totp'])
        t.strictSame(methodsOf(await suite.me(old)), ['password'])
      }
      t.same((await add(there, strong, 'milk')).json(), ['tea', 'milk'], 'the data stays')
      clock.now += 9999
      for (const { me } of [there, here]) t.strictSame(methodsOf(await me(old)), ['password'])
      t.same((await add(here, old, 'jam')).json(), ['tea', 'milk', 'jam'], 'a request under way')
      clock.now += 1
      for (const suite of [there, here]) {
        refused(t, await suite.me(old), 401, 'CREDENTIAL_INVALID')
        t.same((await add(suite, old, 'x')).json(), ['x'], 'its data is nobody’s')
        t.strictSame(methodsOf(await suite.me(strong)), ['password', 'totp'])
      }
      t.same((await add(there, strong, 'rice')).json(), ['tea', 'milk', 'jam', 'rice'])
      t.equal((await here.app.signIns.list(ALICE.id)).length, 1)
    },
  )

  t.test(`over ${name}: two parallel step-ups do not get each other’s factors`, async (t) => {
    const suite = await build(t, { store: await open(t) })
    const old = cookieHeader(await suite.signIn('session'))
    const [one, two] = await Promise.all([suite.stepUp(old, ['totp']), suite.stepUp(old, ['recovery_code'])])
    t.strictSame([one.statusCode, two.statusCode], [200, 200])
    t.strictSame(methodsOf(await suite.me(cookieHeader(one))), ['password', 'totp'])
    t.strictSame(methodsOf(await suite.me(cookieHeader(two))), ['password', 'recovery_code'])
    const [record, ...more] = await suite.app.signIns.list(ALICE.id)
    t.equal(more.length, 0)
    t.strictSame(
      record?.factors?.map(({ method }) => method),
      ['password', 'totp', 'recovery_code'],
      'the list has both',
    )
    suite.clock.advance(10)
    const after = await Promise.all(
      [one, two].map(async (answer) => (await suite.me(cookieHeader(answer))).statusCode),
    )
    t.strictSame(after.sort(), [200, 401], 'the newest id stays')
  })
}

t.test(
  'two step-ups at once with the same factors end in one id, so that the order of the answers is nothing',
  async (t) => {
    const suite = await build(t)
    const old = cookieHeader(await suite.signIn('session'))
    const answers = await Promise.all([1, 2, 3].map(() => suite.stepUp(old, ['password'])))
    const cookies = new Set(answers.map((answer) => cookieHeader(answer).cookie))
    t.equal(cookies.size, 1)
    suite.clock.advance(60)
    for (const cookie of cookies) t.equal((await suite.me({ cookie: String(cookie) })).statusCode, 200)
  },
)

t.test('a thief with the old id and a weak factor does not get the owner’s strong id', async (t) => {
  const suite = await build(t)
  const old = cookieHeader(await suite.signIn('session'))
  await suite.stepUp(old, ['passkey'])
  suite.clock.advance(5)
  const thief = cookieHeader(await suite.stepUp(old, ['password']))
  t.strictSame(methodsOf(await suite.me(thief)), ['password'])
  suite.clock.advance(5)
  refused(t, await suite.stepUp(old, ['password']), 401, 'CREDENTIAL_INVALID')
})

t.test('several step-ups one after the other', async (t) => {
  const suite = await build(t)
  let headers = cookieHeader(await suite.signIn('session'))
  const all: Headers[] = [headers]
  for (const method of ['totp', 'recovery_code', 'passkey', 'password'] as const) {
    suite.clock.advance(20)
    headers = cookieHeader(await suite.stepUp(headers, [method]))
    all.push(headers)
  }
  t.strictSame(methodsOf(await suite.me(headers)), ['password', 'totp', 'recovery_code', 'passkey'])
  t.strictSame(methodsOf(await suite.me(all.at(-2))), ['password', 'totp', 'recovery_code', 'passkey'])
  for (const passed of all.slice(0, -2)) refused(t, await suite.me(passed), 401, 'CREDENTIAL_INVALID')
})

t.test('a remembered session stays so, and its renewed cookie has the newest id', async (t) => {
  const suite = await build(t, { modes: [sessionMode({ rememberTtl: 1000, idleTtl: 100 })] })
  const first = await suite.signIn('session', { remember: true })
  const answer = await suite.stepUp(cookieHeader(first), ['totp'])
  t.equal(answer.cookies[0]?.maxAge, 1000)
  const strong = cookieHeader(answer)
  suite.clock.advance(101)
  const renewed = await suite.me(strong)
  t.equal(renewed.cookies[0]?.maxAge, 1000, 'the touched session’s cookie is set again')
  t.same(cookieHeader(renewed), strong)
  t.same((await suite.app.signIns.list(ALICE.id))[0]?.factors?.length, 2)
})

t.test('the late answer to a request from before the step-up does not bring the old id back', async (t) => {
  const [started, go] = [makeGate(), makeGate()]
  const suite = await build(t, {
    modes: [sessionMode({ rememberTtl: 1000, idleTtl: 100 })],
    routes(app) {
      app.get('/slow', { preHandler: app.guard() }, async () => {
        started.open()
        await go.opened
        return 'done'
      })
    },
  })
  const old = cookieHeader(await suite.signIn('session', { remember: true }))
  suite.clock.advance(101)
  const slow = suite.app.inject({ url: '/slow', headers: old }).then((answer) => answer)
  await started.opened
  const strong = cookieHeader(await suite.stepUp(old, ['totp']))
  go.open()
  t.strictSame((await slow).cookies, [], 'its renewal would have been due')
  suite.clock.advance(11)
  t.equal((await suite.me(strong)).statusCode, 200)
})

t.test('signing out by either id ends the sign-in, also after the old one is over', async (t) => {
  for (const [which, seconds] of [
    ['old', 0],
    ['old', 11],
    ['strong', 11],
  ] as const) {
    const suite = await build(t)
    const old = cookieHeader(await suite.signIn('session'))
    const strong = cookieHeader(await suite.stepUp(old, ['totp']))
    suite.clock.advance(seconds)
    t.same((await suite.signOut('session', which === 'old' ? old : strong)).json(), { ended: true })
    for (const headers of [old, strong]) refused(t, await suite.me(headers), 401, 'SIGNED_OUT', which)
    t.strictSame(await suite.app.signIns.list(ALICE.id), [])
  }
})

t.test(
  'a new sign-in ends one that was stepped up, and takes over the data of the same person',
  async (t) => {
    const suite = await build(t)
    const old = cookieHeader(await suite.signIn('session'))
    await add(suite, old, 'tea')
    const strong = cookieHeader(await suite.stepUp(old, ['totp']))
    const next = cookieHeader(await suite.signIn('session', { headers: strong }))
    refused(t, await suite.me(strong), 401, 'SIGNED_OUT')
    t.same((await add(suite, next, 'milk')).json(), ['tea', 'milk'])
    t.strictSame(methodsOf(await suite.me(next)), ['password'], 'a new sign-in has its own factors')
    const other = cookieHeader(await suite.signIn('session', { account: BOB, headers: next }))
    t.same((await add(suite, other, 'x')).json(), ['x'])
  },
)

t.test('the secrets rotate after a step-up', async (t) => {
  const [store, clock] = [createMemoryStore(), new TestClock()]
  const before = await build(t, { store, clock, identity: { secrets: [SECRET] } })
  const strong = cookieHeader(await before.stepUp(cookieHeader(await before.signIn('session')), ['totp']))
  const both = await build(t, { store, clock, identity: { secrets: [NEXT_SECRET, SECRET] } })
  const renewed = await both.me(strong)
  t.strictSame(methodsOf(renewed), ['password', 'totp'])
  const after = await build(t, { store, clock, identity: { secrets: [NEXT_SECRET] } })
  t.strictSame(methodsOf(await after.me(cookieHeader(renewed))), ['password', 'totp'])
})

const ENDINGS: Record<string, (suite: Suite) => Promise<unknown>> = {
  'signed out': ({ app }) => app.signIns.endAll(ALICE.id),
  'ended by a new password': ({ app }) => app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }),
}

for (const [how, end] of Object.entries(ENDINGS)) {
  for (const [operation, nth] of [
    ['readSession', 1],
    ['endSignIn', 1],
    ['replaceSession', 1],
  ] as const) {
    t.test(`a session that is ${how} at the ${nth}. ${operation} of a step-up stays ended`, async (t) => {
      const { store, hold } = heldStore(createMemoryStore())
      const suite = await build(t, { store })
      const old = cookieHeader(await suite.signIn('session'))
      await suite.me(old)
      const held = hold(operation, nth)
      const stepping = suite.stepUp(old, ['totp']).then((answer) => answer)
      await held.reached
      await end(suite)
      held.release()
      const answer = await stepping
      refused(t, answer, 401, 'SIGNED_OUT')
      t.notMatch(String(answer.headers['set-cookie']), /=v1/)
      refused(t, await suite.me(old), 401, 'SIGNED_OUT')
      t.strictSame(await suite.app.signIns.list(ALICE.id), [])
    })
  }
}

t.test('one that was spared by a new password can be stepped up, and its ids end as usual', async (t) => {
  const suite = await build(t)
  const old = cookieHeader(await suite.signIn('session'))
  const { signInId } = (await suite.me(old)).json()
  await suite.app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }, { spare: signInId })
  const strong = cookieHeader(await suite.stepUp(old, ['totp']))
  suite.clock.advance(10)
  refused(t, await suite.me(old), 401, 'CREDENTIAL_INVALID')
  t.strictSame(methodsOf(await suite.me(strong)), ['password', 'totp'])
})

t.test('data that is saved while the session is stepped up is kept, and so is the step-up', async (t) => {
  const { store, hold } = heldStore(createMemoryStore())
  const suite = await build(t, { store })
  const old = cookieHeader(await suite.signIn('session'))
  const held = hold('replaceSession')
  const stepping = suite.stepUp(old, ['totp']).then((answer) => answer)
  await held.reached
  t.same((await add(suite, old, 'tea')).json(), ['tea'])
  held.release()
  const strong = cookieHeader(await stepping)
  t.same((await add(suite, strong, 'milk')).json(), ['tea', 'milk'])
  t.strictSame(methodsOf(await suite.me(strong)), ['password', 'totp'])
})

t.test('a failing store: the old id stays good, and nothing is handed out', async (t) => {
  const inner = createMemoryStore()
  const failing = new Set<keyof StateStore>()
  const store = new Proxy(inner, {
    get(target, name) {
      const operation: unknown = Reflect.get(target, name)
      if (typeof operation !== 'function') return operation
      return (...args: unknown[]) =>
        failing.has(name as keyof StateStore)
          ? Promise.reject(Object.assign(new Error('away'), { statusCode: 503 }))
          : Reflect.apply(operation, target, args)
    },
  })
  const suite = await build(t, { store })
  const old = cookieHeader(await suite.signIn('session'))
  await suite.me(old)
  for (const operation of ['resealSignIn', 'endSignIn', 'replaceSession'] as const) {
    failing.add(operation)
    const answer = await suite.stepUp(old, ['totp'])
    t.equal(answer.statusCode, 503, operation)
    t.equal(answer.headers['set-cookie'], undefined)
    failing.clear()
    suite.clock.advance(30)
    t.strictSame(methodsOf(await suite.me(old)), ['password'])
  }
  t.equal((await suite.stepUp(old, ['totp'])).statusCode, 200)
})
