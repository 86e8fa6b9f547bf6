import Fastify from 'fastify'
import { type Test, test } from 'tap'
import csrf from '../../../../plugins/csrf.js'
import identity from '../../../../plugins/identity.js'
import type { Seen } from '../../../../plugins/lib/sign-ins/contract.js'
import { LastSeen } from '../../../../plugins/lib/sign-ins/last-seen.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { makeGate, STORES } from '../../../helpers/session-app.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  type Headers,
  headerMode,
  refused,
  SECRET,
  START,
  type Suite,
  type SuiteOptions,
  sessionMode,
  TestClock,
  tokenMode,
} from '../../../helpers/suite.js'

const MINUTE = 60_000
const MODES = ['token', 'session', 'cookie']

function lastSeen(max?: number) {
  const clock = new TestClock()
  const written: [id: string, seen: number, idle: number][] = []
  const warnings: object[] = []
  const fault: { error: Error | null; gate: Promise<void> | null } = { error: null, gate: null }
  const seen = new LastSeen({
    clock: clock.read,
    log: { warn: (entry: object) => void warnings.push(entry) },
    max,
    store: {
      async touchSignIn(_accountId, id, lastSeenAt, idle) {
        if (fault.gate) await fault.gate
        if (fault.error) throw fault.error
        written.push([id, lastSeenAt, idle])
        return true
      },
    },
  })
  const note = (signInId: string) => seen.noteSeen({ accountId: 'a', signInId })
  const ids = () => written.splice(0).map(([id]) => id)
  return { seen, clock, written, warnings, fault, note, ids }
}

test('it is written at once, then not before a minute has passed, for each sign-in', async (t) => {
  const { clock, written, note } = lastSeen()
  note('x')
  note('x')
  note('y')
  clock.now += MINUTE - 1
  note('x')
  t.same(
    written,
    [
      ['x', START, 0],
      ['y', START, 0],
    ],
    'and no limit is moved',
  )
  clock.now += 1
  note('x')
  note('x')
  t.same(written.slice(2), [['x', START + MINUTE, 0]])
})

test('what was written by others is not due', async (t) => {
  const { seen, clock, note, ids } = lastSeen()
  seen.mark('x')
  note('x')
  t.same(ids(), [])
  clock.now += MINUTE
  seen.mark('x')
  note('x')
  t.same(ids(), [])
})

test('a clock that is set back stops nothing', async (t) => {
  const { clock, note, ids } = lastSeen()
  note('x')
  clock.now -= 3600_000
  note('x')
  note('x')
  t.same(ids(), ['x', 'x'])
})

test('a write that fails is logged, fails nobody, and is not tried again for a minute', async (t) => {
  const { seen, clock, note, ids, fault, warnings } = lastSeen()
  fault.error = new Error('the store is away')
  note('x')
  note('x')
  await seen.settle()
  t.match(warnings, [{ err: { message: 'the store is away' } }])
  t.equal(warnings.length, 1)
  fault.error = null
  clock.now += MINUTE
  note('x')
  t.same(ids(), ['x'])
})

test('settling waits for what is under way', async (t) => {
  const { seen, note, written, fault } = lastSeen()
  const gate = makeGate()
  fault.gate = gate.opened
  note('x')
  let settled = false
  const settling = seen.settle().then(() => {
    settled = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(settled, false)
  gate.open()
  await settling
  t.equal(written.length, 1)
  await seen.settle()
})

test('memory is bounded, and full of what was just written it has nobody written twice', async (t) => {
  const { clock, note, ids } = lastSeen(3)
  for (const id of ['a', 'b', 'c', 'd']) note(id)
  t.same(ids(), ['a', 'b', 'c'], 'd must wait')
  clock.now += MINUTE / 2
  for (const id of ['d', 'a', 'b', 'c']) note(id)
  t.same(ids(), [])
  clock.now += MINUTE / 2
  note('d')
  t.same(ids(), ['d'], 'in the place of the one that was written longest ago')
  note('b')
  t.same(ids(), ['b'], 'who is known has a place')
  note('a')
  t.same(ids(), ['a'], 'in the place of c')
  note('e')
  t.same(ids(), [], 'all three were just written')
})

async function seenApp(t: Test, options: Partial<SuiteOptions> = {}) {
  const suite = await buildSuite(t, { modes: [tokenMode(), sessionMode(), cookieMode()], ...options })
  const enter = async (mode: string, from: Suite = suite): Promise<Headers> => {
    const answer = await from.signIn(mode)
    if (mode !== 'token') return cookieHeader(answer)
    return { authorization: `Bearer ${answer.json().issued.token}` }
  }
  const lastSeenAt = async () => (await suite.app.signIns.list(ALICE.id))[0]?.lastSeenAt
  return { ...suite, enter, lastSeenAt }
}

async function becomes(t: Test, expected: number, read: () => Promise<number | undefined>, what: string) {
  const deadline = Date.now() + 60_000
  while ((await read()) !== expected && Date.now() < deadline) await new Promise((go) => setTimeout(go, 2))
  t.equal(await read(), expected, what)
}

for (const [name, open] of Object.entries(STORES)) {
  test(`over ${name}: every mode moves it, at most once a minute, and no more than it`, async (t) => {
    const { store, calls } = faultyStore(await open(t))
    for (const mode of MODES) {
      const clock = new TestClock()
      const { enter, me, lastSeenAt, app } = await seenApp(t, { store, clock })
      const headers = await enter(mode)
      const [before] = await app.signIns.list(ALICE.id)
      calls.length = 0
      for (let i = 0; i < 5; i++) await me(headers)
      clock.now += MINUTE - 1
      await me(headers)
      t.notOk(calls.includes('touchSignIn'), `${mode}: its beginning counts as seen`)
      clock.now += 1
      await Promise.all([me(headers), me(headers), me(headers)])
      await becomes(t, START + MINUTE, lastSeenAt, mode)
      t.equal(calls.filter((call) => call === 'touchSignIn').length, 1, `${mode}: one write`)
      const [after] = await app.signIns.list(ALICE.id)
      t.same(after, { ...before, lastSeenAt: START + MINUTE })
      await app.signIns.endAll(ALICE.id)
    }
  })

  test(`over ${name}: it brings no ended sign-in back`, async (t) => {
    const store = await open(t)
    for (const mode of MODES) {
      const clock = new TestClock()
      const { enter, app } = await seenApp(t, { store, clock })
      const headers = await enter(mode)
      const [record] = await app.signIns.list(ALICE.id)
      clock.now += MINUTE
      await app.signIns.endAll(ALICE.id)
      app.signIns.noteSeen({ accountId: ALICE.id, signInId: record?.id ?? '' })
      await app.close()
      t.same(await store.listSignIns(ALICE.id, clock.now), [], mode)
      const again = await seenApp(t, { store, clock })
      refused(t, await again.me(headers), 401, 'SIGNED_OUT', mode)
    }
  })
}

test('a session whose idle limit has reached the absolute one is seen as well', async (t) => {
  const clock = new TestClock()
  const modes = [sessionMode({ idleTtl: 600, absoluteTtl: 600 })]
  const { enter, me, lastSeenAt } = await seenApp(t, { clock, modes })
  const headers = await enter('session')
  clock.advance(500)
  t.equal((await me(headers)).statusCode, 200)
  await becomes(t, START + 500_000, lastSeenAt, 'last seen')
})

test('a session’s touch is the one write, where it is due as well', async (t) => {
  const { store, calls } = faultyStore(createMemoryStore())
  const clock = new TestClock()
  const { enter, me, lastSeenAt } = await seenApp(t, { clock, store })
  const headers = await enter('session')
  clock.advance(3600)
  calls.length = 0
  await me(headers)
  await becomes(t, START + 3_600_000, lastSeenAt, 'last seen')
  t.equal(calls.filter((call) => call === 'touchSignIn').length, 1)
})

test('who is refused is not seen', async (t) => {
  const clock = new TestClock()
  const { app, enter, post, lastSeenAt } = await seenApp(t, {
    clock,
    routes(app) {
      app.get('/users', { preHandler: app.guard({ role: 'user' }) }, async () => 'for users')
    },
  })
  const headers = await enter('cookie')
  clock.advance(120)
  refused(t, await app.inject({ url: '/users', headers }), 403, 'ROLE_REQUIRED')
  refused(t, await post('/me', { ...headers, origin: 'https://evil.example' }), 403, 'CROSS_SITE')
  await app.close()
  t.equal(await lastSeenAt(), START)
})

test('a store that fails or hangs neither fails nor delays a request, and the close waits for it', async (t) => {
  const gate = makeGate()
  const inner = createMemoryStore()
  const touch = inner.touchSignIn.bind(inner)
  inner.touchSignIn = async (...args) => {
    await gate.opened
    return touch(...args)
  }
  const { store, failing } = faultyStore(inner)
  const clock = new TestClock()
  const { enter, me, app } = await seenApp(t, { clock, store })
  const [failed, hanging] = [await enter('token'), await enter('cookie')]
  clock.now += MINUTE
  failing.add('touchSignIn')
  t.equal((await me(failed)).statusCode, 200)
  failing.clear()
  t.equal((await me(hanging)).statusCode, 200, 'answered while the write hangs')
  const closing = app.close()
  gate.open()
  await closing
  const seen = (await inner.listSignIns(ALICE.id, clock.now)).map((record) => record.lastSeenAt)
  t.same(seen.sort(), [START, START + MINUTE])
})

test('an application whose modes keep no records has nothing to note', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(csrf)
  await app.register(identity, { secrets: [SECRET] })
  app.authModes.add(headerMode('token'))
  app.get('/me', { preHandler: app.guard() }, async (request) => request.identity.username)
  t.equal((await app.inject({ url: '/me', headers: { 'x-token': 'alice' } })).body, 'alice')
})

const unseen = (): Seen => ({ seenAt: Number.NEGATIVE_INFINITY })

test('a verified credential is looked up once a minute, and written as without one', async (t) => {
  const { seen, clock, ids } = lastSeen()
  const [verified, others] = [unseen(), unseen()]
  const note = (of?: Seen) => seen.noteSeen({ accountId: 'a', signInId: 'x' }, of, clock.now)
  note(verified)
  note(others)
  note(verified)
  t.same(ids(), ['x'])
  t.same([verified.seenAt, others.seenAt], [clock.now, clock.now], 'whose credential it was does not matter')
  clock.now += MINUTE - 1
  for (const of of [verified, others, undefined]) note(of)
  t.same(ids(), [])
  clock.now += 1
  for (const of of [verified, others, undefined]) note(of)
  t.same(ids(), ['x'])
  clock.now -= MINUTE
  note(verified)
  t.same(ids(), ['x'], 'a clock that is set back stops nothing')
})

test('times of what could not be noted say nothing', async (t) => {
  const { seen, clock, ids } = lastSeen(1)
  seen.noteSeen({ accountId: 'a', signInId: 'x' })
  const verified = unseen()
  seen.noteSeen({ accountId: 'a', signInId: 'y' }, verified, clock.now)
  t.same([ids(), verified.seenAt], [['x'], Number.NEGATIVE_INFINITY])
  clock.now += MINUTE
  seen.noteSeen({ accountId: 'a', signInId: 'y' }, verified, clock.now)
  t.same([ids(), verified.seenAt], [['y'], clock.now])
})

test('the time that is handed over counts, whatever another clock says', async (t) => {
  const { seen, clock, ids } = lastSeen()
  const note = (now: number) => seen.noteSeen({ accountId: 'a', signInId: 'x' }, undefined, now)
  note(clock.now + 10 * MINUTE)
  note(clock.now + 10 * MINUTE + 1)
  t.same(ids(), ['x'])
})
