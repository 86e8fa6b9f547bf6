import { type Test, test } from 'tap'
import type { StateStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { STORES } from '../../../helpers/session-app.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  type Headers,
  refused,
  type SignInAs,
  sessionMode,
  TestClock,
  tokenMode,
} from '../../../helpers/suite.js'

const CAP = 3

async function cappedApp(t: Test, store: StateStore = createMemoryStore(), cap = CAP) {
  const clock = new TestClock()
  const modes = [tokenMode(), sessionMode(), cookieMode()]
  const suite = await buildSuite(t, { modes, store, clock, signIns: { cap } })
  /** Signs in a second after the one before, and hands back what the client sends then. */
  const begin = async (mode: string, as: SignInAs = {}): Promise<Headers> => {
    clock.advance(1)
    const answer = await suite.signIn(mode, as)
    if (mode !== 'token') return cookieHeader(answer)
    return { authorization: `Bearer ${answer.json().issued.token}` }
  }
  const modesOf = async (id: string) => (await suite.app.signIns.list(id)).map(({ mode }) => mode)
  return { ...suite, begin, modesOf }
}

for (const [name, open] of Object.entries(STORES)) {
  test(`over ${name}: one beyond the cap ends the oldest for real, whatever their modes`, async (t) => {
    const { begin, me, modesOf } = await cappedApp(t, await open(t))
    const theirs = await begin('cookie', { account: BOB })
    const held: Headers[] = []
    for (const mode of ['session', 'token', 'cookie', 'token', 'session']) held.push(await begin(mode))
    t.strictSame(await modesOf(ALICE.id), ['session', 'token', 'cookie'])
    for (const headers of held.slice(0, 2)) refused(t, await me(headers), 401, 'SIGNED_OUT')
    for (const headers of held.slice(2)) t.equal((await me(headers)).statusCode, 200)
    t.equal((await me(theirs)).statusCode, 200, 'another account’s is none of them')
  })

  test(`over ${name}: many at once leave no more than the cap and those, and the next login repairs`, async (t) => {
    const { begin, modesOf, signIn, me, clock } = await cappedApp(t, await open(t))
    const first = await begin('token')
    clock.advance(1)
    const flight = 12
    const answers = await Promise.all(Array.from({ length: flight }, () => signIn('cookie')))
    for (const answer of answers) t.equal(answer.statusCode, 200)
    t.ok((await modesOf(ALICE.id)).length <= CAP + flight)
    refused(t, await me(first), 401, 'SIGNED_OUT')
    const last = await begin('token')
    t.equal((await modesOf(ALICE.id)).length, CAP)
    t.equal((await me(last)).statusCode, 200)
    const live = await Promise.all(answers.map((answer) => me(cookieHeader(answer))))
    t.equal(live.filter(({ statusCode }) => statusCode === 200).length, CAP - 1, 'as many as the list shows')
  })
}

test('the one that a login replaces is no reason to end another', async (t) => {
  for (const mode of ['cookie', 'session', 'token']) {
    const { begin, modesOf, me } = await cappedApp(t)
    const oldest = await begin('token')
    await begin('token')
    const own = await begin(mode)
    await begin(mode, { headers: own })
    t.strictSame(await modesOf(ALICE.id), [mode, 'token', 'token'])
    t.equal((await me(oldest)).statusCode, 200, mode)
    refused(t, await me(own), 401, 'SIGNED_OUT', mode)
  }
})

test('those past their limits are not counted', async (t) => {
  const { begin, modesOf, clock } = await cappedApp(t)
  const remembered = await begin('token')
  for (let i = 1; i < CAP; i++) await begin('cookie')
  clock.advance(3600)
  await begin('cookie')
  t.strictSame(
    await modesOf(ALICE.id),
    ['cookie', 'token'],
    `${Object.keys(remembered)} is the oldest, and lives`,
  )
})

test('a cap of one: signing in anywhere signs out everywhere else', async (t) => {
  const { begin, me } = await cappedApp(t, createMemoryStore(), 1)
  const first = await begin('session')
  const second = await begin('session')
  refused(t, await me(first), 401, 'SIGNED_OUT')
  t.equal((await me(second)).statusCode, 200)
})

test('below the cap it costs the store nothing', async (t) => {
  const { store, calls } = faultyStore(createMemoryStore())
  const { begin } = await cappedApp(t, store)
  for (let i = 0; i < CAP; i++) {
    calls.length = 0
    await begin('token')
    t.strictSame(calls, ['generation', 'addSignIn', 'isLive'], 'which memory answers')
  }
  calls.length = 0
  await begin('token')
  t.strictSame(calls, ['generation', 'addSignIn', 'isLive', 'listSignIns', 'endSignIn'])
})

test('a login that cannot make room is refused, and leaves nothing behind', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore())
  const { begin, signIn, app, me } = await cappedApp(t, store)
  const held: Headers[] = []
  for (let i = 0; i < CAP; i++) held.push(await begin('token'))
  failing.add('listSignIns')
  refused(t, await signIn('cookie'), 503, 'STORE_UNAVAILABLE')
  failing.clear()
  t.equal((await app.signIns.list(ALICE.id)).length, CAP)
  for (const headers of held) t.equal((await me(headers)).statusCode, 200)
})

test('a cap that was lowered is reached login by login', async (t) => {
  const store = createMemoryStore()
  const before = await cappedApp(t, store, 300)
  for (let i = 0; i < 250; i++) await before.begin('token')
  const { begin, app } = await cappedApp(t, store, 10)
  const left = []
  for (let i = 0; i < 3; i++) {
    await begin('token')
    left.push((await app.signIns.list(ALICE.id)).length)
  }
  t.strictSame(left, [151, 52, 10])
})

test('the default is 100, and what is no cap is refused at boot', async (t) => {
  const { signIn, app } = await buildSuite(t, { modes: [tokenMode()] })
  for (let i = 0; i < 102; i++) await signIn('token')
  t.equal((await app.signIns.list(ALICE.id)).length, 100)
  for (const cap of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 10_001]) {
    const boot = buildSuite(t, { modes: [tokenMode()], signIns: { cap } })
    await t.rejects(boot, { code: 'OPTION_INVALID', message: /cap/ }, `${cap}`)
  }
})
