import type { Test } from 'tap'
import type { SignInRef } from '../plugins/lib/contract.js'
import type { Rotation, SessionRecord, SignInRecord, StateStore } from '../plugins/lib/stores/contract.js'

/** An empty store, and a second one over the same engine where the engine can be shared. */
export interface StoreUnderTest {
  readonly store: StateStore
  readonly twin?: StateStore
}

/** Makes a store of its own for each test, and closes it in that test's teardown. */
export type MakeStore = (t: Test) => Promise<StoreUnderTest>

const NOW = 1_750_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const UNTIL = NOW + 24 * HOUR
/** How long after its time a sweep still leaves a revocation. */
const MARGIN = HOUR
const ODD_IDS = [
  '__proto__',
  'constructor',
  'a:b',
  'a',
  'b:c',
  '{a}',
  '}',
  '',
  ' ',
  'Zoë☃🦊',
  '%00',
  'g',
  "x' --",
]

export function signInRecord(fields: Partial<SignInRecord> = {}): SignInRecord {
  return {
    id: 'sign-in-1',
    accountId: 'account-1',
    mode: 'cookie',
    epoch: 1,
    generation: 1,
    createdAt: NOW,
    lastSeenAt: NOW,
    idleExpiresAt: NOW + HOUR,
    absoluteExpiresAt: NOW + 24 * HOUR,
    ip: '203.0.113.7',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    sessionKey: null,
    refresh: null,
    claims: null,
    ...fields,
  }
}

export function sessionRecord(fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    version: 1,
    sealed: 'c2VhbGVk|1|2\n',
    idleExpiresAt: NOW + HOUR,
    absoluteExpiresAt: NOW + 24 * HOUR,
    ...fields,
  }
}

const TOKEN = { mode: 'token', refresh: { counter: 0, keyId: 'key-1', rotatedAt: NOW } } as const

function rotation(fields: Partial<Rotation> = {}): Rotation {
  return { presented: 0, keyId: 'key-2', now: NOW + MINUTE, grace: 10_000, ...fields }
}

async function refTo(store: StateStore, fields: Partial<SignInRef> = {}): Promise<SignInRef> {
  return {
    accountId: 'account-1',
    signInId: 'sign-in-1',
    epoch: 1,
    generation: await store.generation(),
    ...fields,
  }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** What every state store must do. */
export function storeContract(t: Test, name: string, makeStore: MakeStore): void {
  for (const section of [
    liveness,
    signIns,
    rotations,
    rotationTerms,
    bindings,
    endings,
    epochs,
    revisions,
    notices,
    sessions,
    once,
    oddIds,
    twins,
  ]) {
    t.test(`${name}: ${section.name}`, (st) => section(st, makeStore))
  }
}

async function liveness(t: Test, makeStore: MakeStore) {
  t.test('answers, and closes twice without complaint', async (t) => {
    const { store } = await makeStore(t)
    await store.ping()
    t.type(store.kind, 'string')
    await store.close()
    await store.close()
  })

  t.test('the generation is a positive safe integer, and stays', async (t) => {
    const { store } = await makeStore(t)
    const all = await Promise.all(times(20, () => store.generation()))
    t.equal(new Set(all).size, 1)
    t.ok(Number.isSafeInteger(all[0]) && Number(all[0]) > 0)
  })

  t.test('a sign-in of this generation is live, also without a record; one of another is not', async (t) => {
    const { store } = await makeStore(t)
    const ref = await refTo(store)
    t.equal(await store.isLive(ref), true)
    t.equal(await store.isLive({ ...ref, generation: ref.generation + 1 }), false)
    t.equal(await store.isLive({ ...ref, generation: -ref.generation }), false)
    t.equal(await store.isLive({ ...ref, generation: 0 }), false)
  })

  t.test('of many, each is answered as if it were asked for alone', async (t) => {
    const { store } = await makeStore(t)
    const ref = await refTo(store)
    const refs = [
      ref,
      { ...ref, signInId: 'ended' },
      { ...ref, accountId: 'account-2', signInId: 'spared' },
      { ...ref, accountId: 'account-2', signInId: 'below' },
      { ...ref, generation: ref.generation + 1 },
      ...times(1200, (index) => ({ ...ref, signInId: `sign-in-${index + 10}` })),
    ]
    await store.endSignIn('account-1', 'ended', UNTIL)
    await store.endSignIn('account-1', 'sign-in-1000', UNTIL)
    await store.raiseEpoch('account-2', 2, 'spared', UNTIL)
    const alone = await Promise.all(refs.map((one) => store.isLive(one)))
    t.strictSame(alone.slice(0, 6), [true, false, true, false, false, true])
    t.equal(alone.filter((live) => !live).length, 4)
    t.strictSame((await store.areLive?.(refs)) ?? alone, alone)
    t.strictSame((await store.areLive?.([])) ?? [], [])
  })
}

async function signIns(t: Test, makeStore: MakeStore) {
  t.test('what was added is found whole', async (t) => {
    const { store } = await makeStore(t)
    const full = signInRecord({
      ...TOKEN,
      epoch: 7,
      generation: Number.MAX_SAFE_INTEGER,
      lastSeenAt: NOW + 1,
      sessionKey: 'k\n,|"é',
      ip: '2001:db8::1',
      userAgent: 'x"y\\z\n☃ \u0001',
      refresh: { counter: 41, keyId: 'k,\n"é', rotatedAt: NOW + 2 },
      claims: { plan: 'pro', depth: { list: [1, 'two', null, true] }, empty: {} },
    })
    await store.addSignIn(full)
    t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), full)
    await store.addSignIn(signInRecord({ id: 'plain', ip: '', userAgent: '' }))
    t.strictSame(
      await store.findSignIn('account-1', 'plain', NOW),
      signInRecord({ id: 'plain', ip: '', userAgent: '' }),
    )
  })

  t.test('what was not added, or belongs to somebody else, is not found', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord())
    t.equal(await store.findSignIn('account-1', 'sign-in-2', NOW), null)
    t.equal(await store.findSignIn('account-2', 'sign-in-1', NOW), null)
    t.strictSame(await store.listSignIns('account-2', NOW), [])
  })

  t.test('a sign-in is past a limit when now reaches it', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord({ id: 'idle', idleExpiresAt: NOW + 5 }))
    await store.addSignIn(signInRecord({ id: 'absolute', absoluteExpiresAt: NOW + 5 }))
    for (const id of ['idle', 'absolute']) {
      t.ok(await store.findSignIn('account-1', id, NOW + 4), id)
      t.equal(await store.findSignIn('account-1', id, NOW + 5), null, id)
    }
    t.equal((await store.listSignIns('account-1', NOW + 4)).length, 2)
    t.strictSame(await store.listSignIns('account-1', NOW + 5), [])
  })

  t.test('a list is newest first, and those of one instant by id', async (t) => {
    const { store } = await makeStore(t)
    for (const [id, age] of [
      ['b', 1],
      ['d', 2],
      ['a', 1],
      ['c', 0],
    ] as const) {
      await store.addSignIn(signInRecord({ id, createdAt: NOW - age }))
    }
    const list = await store.listSignIns('account-1', NOW)
    t.strictSame(
      list.map(({ id }) => id),
      ['c', 'a', 'b', 'd'],
    )
  })

  t.test('adding drops those of the account that every clock takes for expired, and no others', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord({ id: 'idle', idleExpiresAt: NOW + HOUR }))
    await store.addSignIn(signInRecord({ id: 'absolute', absoluteExpiresAt: NOW + HOUR }))
    await store.addSignIn(signInRecord({ id: 'kept', idleExpiresAt: NOW + HOUR + 1 }))
    await store.addSignIn(signInRecord({ accountId: 'account-2', id: 'other', idleExpiresAt: NOW + HOUR }))
    const later = { createdAt: NOW + HOUR + MARGIN, idleExpiresAt: NOW + 2 * HOUR + MARGIN }
    await store.addSignIn(signInRecord({ id: 'new', ...later }))
    const ids = (await store.listSignIns('account-1', NOW)).map(({ id }) => id)
    t.strictSame(ids, ['new', 'kept'])
    t.ok(await store.findSignIn('account-2', 'other', NOW))
  })

  t.test('adding says how many the account has then', async (t) => {
    const { store } = await makeStore(t)
    t.equal(await store.addSignIn(signInRecord({ id: 'passed', idleExpiresAt: NOW + 5 })), 1)
    t.equal(await store.addSignIn(signInRecord({ id: 'a' })), 2)
    t.equal(await store.addSignIn(signInRecord({ accountId: 'account-2' })), 1)
    t.equal(await store.addSignIn(signInRecord({ id: 'b', createdAt: NOW + 5 })), 2, 'less what has passed')
    await store.endSignIn('account-1', 'a', UNTIL)
    const counts = await Promise.all(
      times(5, (index) => store.addSignIn(signInRecord({ id: `at-once-${index}`, createdAt: NOW + 5 }))),
    )
    t.strictSame(counts.sort(), [2, 3, 4, 5, 6])
  })

  t.test('all that are on record are ended, also those that an earlier clock takes for live', async (t) => {
    const { store } = await makeStore(t)
    const refs = await Promise.all(['idle', 'other', 'spared'].map((signInId) => refTo(store, { signInId })))
    const limits = { idleExpiresAt: NOW + MINUTE }
    await store.addSignIn(signInRecord({ id: 'idle', sessionKey: 'session-1', ...limits }))
    await store.addSignIn(signInRecord({ id: 'spared', ...limits }))
    await store.createSession('session-1', sessionRecord(limits))
    await store.addSignIn(signInRecord({ id: 'other', createdAt: NOW + MINUTE }))
    t.strictSame(
      await store.endSignIns('account-1', 'spared', NOW + MINUTE),
      ['other'],
      'as that clock has it',
    )
    t.strictSame(await Promise.all(refs.map(async (ref) => store.isLive(ref))), [false, false, true])
    t.equal(await store.touchSignIn('account-1', 'idle', NOW, NOW + HOUR), false)
    t.equal(await store.readSession('session-1', NOW), null)
    t.ok(await store.findSignIn('account-1', 'spared', NOW), 'nor does a login lose it')
  })

  t.test('a touch moves last seen and the idle limit forward, never back', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord(TOKEN))
    const touch = (seen: number, idle: number) => store.touchSignIn('account-1', 'sign-in-1', seen, idle)
    t.equal(await touch(NOW + MINUTE, NOW + 2 * HOUR), true)
    const moved = signInRecord({ ...TOKEN, lastSeenAt: NOW + MINUTE, idleExpiresAt: NOW + 2 * HOUR })
    t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), moved)
    t.equal(await touch(NOW, NOW + HOUR), true)
    t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), moved)
    t.equal(await touch(NOW + 2 * MINUTE, NOW), true)
    t.equal((await store.findSignIn('account-1', 'sign-in-1', NOW))?.idleExpiresAt, NOW + 2 * HOUR)
  })

  t.test('a touch never moves the idle limit past the absolute one', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord())
    await store.touchSignIn('account-1', 'sign-in-1', NOW, NOW + 48 * HOUR)
    const found = await store.findSignIn('account-1', 'sign-in-1', NOW)
    t.equal(found?.idleExpiresAt, NOW + 24 * HOUR)
    t.equal(await store.findSignIn('account-1', 'sign-in-1', NOW + 24 * HOUR), null)
  })

  t.test('a touch brings nothing to life', async (t) => {
    const { store } = await makeStore(t)
    t.equal(await store.touchSignIn('account-1', 'sign-in-1', NOW, NOW + HOUR), false)
    await store.addSignIn(signInRecord())
    await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    t.equal(await store.touchSignIn('account-1', 'sign-in-1', NOW, NOW + HOUR), false)
    t.strictSame(await store.listSignIns('account-1', NOW), [])
  })

  t.test('a sweep collects what is past its limits, and nothing else', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord({ id: 'short' }))
    await store.addSignIn(signInRecord({ id: 'long', idleExpiresAt: NOW + HOUR + 1 }))
    await store.addSignIn(signInRecord({ accountId: 'account-2', id: 'alone' }))
    await store.createSession('short', sessionRecord())
    await store.createSession('long', sessionRecord({ idleExpiresAt: NOW + HOUR + 1 }))
    await store.sweep(NOW + HOUR)
    t.equal(await store.findSignIn('account-1', 'short', NOW + HOUR), null)
    t.ok(await store.findSignIn('account-1', 'long', NOW + HOUR))
    t.equal(await store.findSignIn('account-2', 'alone', NOW + HOUR), null)
    t.equal(await store.readSession('short', NOW + HOUR), null)
    t.ok(await store.readSession('long', NOW + HOUR))
  })
}

async function rotations(t: Test, makeStore: MakeStore) {
  const held = { accountId: 'account-1', signInId: 'sign-in-1' }
  const found = (store: StateStore) => store.findSignIn(held.accountId, held.signInId, NOW)
  const rotate = (store: StateStore, fields: Partial<Rotation> = {}) =>
    store.rotateRefresh(held.accountId, held.signInId, rotation(fields))

  t.test('the newest token gets a successor, and nothing else of the sign-in changes', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord({ ...TOKEN, claims: { plan: 'pro' }, userAgent: 'é,\n1' }))
    const rotated = signInRecord({
      mode: 'token',
      claims: { plan: 'pro' },
      userAgent: 'é,\n1',
      refresh: { counter: 1, keyId: 'key-2', rotatedAt: NOW + MINUTE },
    })
    t.strictSame(await rotate(store), { outcome: 'rotated', signIn: rotated })
    t.strictSame(await found(store), rotated)
  })

  t.test('of 100 parallel rotations of one token one rotates, the rest get the same successor', async (t) => {
    const { store, twin = store } = await makeStore(t)
    await store.addSignIn(signInRecord(TOKEN))
    const results = await Promise.all(
      times(100, (index) => rotate(index % 2 ? store : twin, { keyId: `key-${index}` })),
    )
    t.strictSame(tally(results.map(({ outcome }) => outcome)), { rotated: 1, repeated: 99 })
    const successors = results.map((result) =>
      'signIn' in result ? JSON.stringify(result.signIn.refresh) : '',
    )
    t.equal(new Set(successors).size, 1)
    t.equal((await found(store))?.refresh?.counter, 1)
  })

  t.test(
    'the predecessor gets the same successor within the grace, and not when it has passed',
    async (t) => {
      const { store } = await makeStore(t)
      await store.addSignIn(signInRecord(TOKEN))
      await rotate(store)
      const after = await found(store)
      const last = await rotate(store, { now: NOW + MINUTE + 9_999, keyId: 'key-3' })
      t.strictSame(last, { outcome: 'repeated', signIn: after })
      const late = await rotate(store, { now: NOW + MINUTE + 10_000 })
      t.strictSame(late, { outcome: 'reused', signIn: after })
      t.strictSame(await found(store), after)
    },
  )

  t.test('with a grace of 0 every second use is reuse', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord(TOKEN))
    await rotate(store, { grace: 0 })
    t.equal((await rotate(store, { grace: 0 })).outcome, 'reused')
  })

  t.test('an older token is reused, within the grace too, and changes nothing', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord(TOKEN))
    await rotate(store)
    await rotate(store, { presented: 1 })
    const after = await found(store)
    t.strictSame(await rotate(store, { presented: 0 }), { outcome: 'reused', signIn: after })
    t.strictSame(await found(store), after)
  })

  t.test('a token above the stored counter catches up', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord(TOKEN))
    const result = await rotate(store, { presented: 40 })
    t.equal(result.outcome, 'rotated')
    t.strictSame((await found(store))?.refresh, { counter: 41, keyId: 'key-2', rotatedAt: NOW + MINUTE })
    t.equal((await rotate(store, { presented: 40 })).outcome, 'repeated')
    t.equal((await rotate(store, { presented: 39 })).outcome, 'reused')
  })

  t.test('a sign-in that is missing, ended, past a limit, or has no refresh token is gone', async (t) => {
    const { store } = await makeStore(t)
    t.strictSame(await rotate(store), { outcome: 'gone' })
    await store.addSignIn(signInRecord())
    t.strictSame(await rotate(store), { outcome: 'gone' })
    t.strictSame(await found(store), signInRecord())
    await store.addSignIn(signInRecord({ ...TOKEN, absoluteExpiresAt: NOW + HOUR + 5 }))
    t.strictSame(await rotate(store, { now: NOW + HOUR }), { outcome: 'gone' })
    await store.touchSignIn('account-1', 'sign-in-1', NOW, NOW + 2 * HOUR)
    t.equal((await rotate(store, { now: NOW + HOUR + 4 })).outcome, 'rotated')
    t.strictSame(await rotate(store, { presented: 1, now: NOW + HOUR + 5 }), { outcome: 'gone' })
    await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    t.strictSame(await rotate(store, { presented: 1 }), { outcome: 'gone' })
  })
}

async function rotationTerms(t: Test, makeStore: MakeStore) {
  const terms = { epoch: 1, endsAfter: NOW + 24 * HOUR, claimsMax: 2000 }
  const rotate = (store: StateStore, fields: Partial<Rotation> = {}) =>
    store.rotateRefresh('account-1', 'sign-in-1', rotation({ terms, ...fields }))
  const claims = { plan: 'pro', list: ['é'.repeat(100)] }

  t.test('a rotation on terms that the sign-in meets is one like any other', async (t) => {
    const { store } = await makeStore(t)
    t.strictSame(await rotate(store), { outcome: 'gone' })
    await store.addSignIn(signInRecord({ ...TOKEN, claims }))
    const refresh = { counter: 1, keyId: 'key-2', rotatedAt: NOW + MINUTE }
    const rotated = signInRecord({ ...TOKEN, claims, refresh })
    t.strictSame(await rotate(store), { outcome: 'rotated', signIn: rotated })
    t.strictSame(await rotate(store), { outcome: 'repeated', signIn: rotated })
    t.strictSame(await rotate(store, { grace: 0 }), { outcome: 'reused', signIn: rotated })
    t.strictSame(await rotate(store, { now: NOW + HOUR }), { outcome: 'gone' })
  })

  t.test('on terms that it does not meet nothing is changed, and nothing judged', async (t) => {
    const { store } = await makeStore(t)
    const whole = signInRecord({
      ...TOKEN,
      // What a careless reader would take for an epoch.
      mode: 'a",9,"',
      claims,
      refresh: { counter: 5, keyId: 'key-1', rotatedAt: NOW },
    })
    await store.addSignIn(whole)
    for (const presented of [5, 4, 3, 40]) {
      for (const unmet of [
        { ...terms, epoch: 2 },
        { ...terms, endsAfter: terms.endsAfter + 1 },
        { ...terms, claimsMax: Buffer.byteLength(JSON.stringify(claims)) - 1 },
        { ...terms, claimsMax: -1 },
      ]) {
        const result = await rotate(store, { presented, terms: unmet, now: NOW + 1 })
        t.strictSame(result, { outcome: 'unmet', signIn: whole }, JSON.stringify({ presented, unmet }))
      }
    }
    t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), whole)
  })

  t.test('of 50 parallel rotations on terms one rotates, and none is lost', async (t) => {
    const { store, twin = store } = await makeStore(t)
    await store.addSignIn(signInRecord(TOKEN))
    const results = await Promise.all(times(50, (index) => rotate(index % 2 ? store : twin)))
    t.strictSame(tally(results.map(({ outcome }) => outcome)), { rotated: 1, repeated: 49 })
  })
}

async function bindings(t: Test, makeStore: MakeStore) {
  const settle = (store: StateStore, binding: string, now = NOW) =>
    store.settleBinding?.('account-1', 'sign-in-1', binding, now)
  const DEVICE = 'v1.key,\n"é].\u0001'

  t.test('a sign-in is bound once: the first binding stands', async (t) => {
    const { store } = await makeStore(t)
    for (const fields of [{}, { seal: 'key-1"]]' }, { ...TOKEN, claims: { list: [[1]] } }, { seal: 's]]' }]) {
      const record = signInRecord(fields)
      await store.addSignIn(record)
      t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), record)
      const bound = { ...record, binding: DEVICE }
      t.strictSame(await settle(store, DEVICE), bound)
      for (const other of ['none', DEVICE, ']]', '']) t.strictSame(await settle(store, other), bound)
      t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), bound)
      t.strictSame(await store.listSignIns('account-1', NOW), [bound])
      await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    }
  })

  t.test('a sign-in can begin bound', async (t) => {
    const { store } = await makeStore(t)
    for (const fields of [{}, { seal: 'a seal' }]) {
      const bound = signInRecord({ ...fields, binding: DEVICE })
      await store.addSignIn(bound)
      t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), bound)
      t.strictSame(await settle(store, 'none'), bound)
    }
  })

  t.test('a binding is replaced if it is the one that was named', async (t) => {
    const { store } = await makeStore(t)
    const replace = (binding: string, replaced: string) =>
      store.settleBinding?.('account-1', 'sign-in-1', binding, NOW, replaced)
    for (const fields of [{}, { seal: 'a seal' }]) {
      const record = signInRecord(fields)
      await store.addSignIn(record)
      t.strictSame(await replace('new', DEVICE), record, 'it has none')
      await settle(store, DEVICE)
      for (const other of ['', 'other', DEVICE.slice(1), `${DEVICE}"`])
        t.strictSame(await replace('new', other), { ...record, binding: DEVICE }, other)
      t.strictSame(await replace('new', DEVICE), { ...record, binding: 'new' })
      t.strictSame(await replace('newer', DEVICE), { ...record, binding: 'new' })
      t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), { ...record, binding: 'new' })
      await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    }
    t.equal(await replace('new', DEVICE), null)
  })

  t.test('of many at once, one decides, and all hear of it', async (t) => {
    const { store, twin = store } = await makeStore(t)
    await store.addSignIn(signInRecord())
    const answers = await Promise.all(
      times(20, (index) => settle(index % 2 ? store : twin, `device-${index}`)),
    )
    const bindings = new Set(answers.map((record) => record?.binding))
    t.equal(bindings.size, 1)
    t.match([...bindings][0], /^device-\d+$/)
  })

  t.test('touches, rotations and new seals keep the binding', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord({ ...TOKEN, seal: 'old' }))
    const bound = await settle(store, DEVICE)
    await store.touchSignIn('account-1', 'sign-in-1', NOW + MINUTE, NOW + 2 * HOUR)
    const rotated = await store.rotateRefresh('account-1', 'sign-in-1', rotation())
    t.match(rotated, { outcome: 'rotated', signIn: { binding: DEVICE } })
    if (bound) await store.resealSignIn?.(bound, 'new')
    t.match(await store.findSignIn('account-1', 'sign-in-1', NOW), {
      ...{ seal: 'new', binding: DEVICE, lastSeenAt: NOW + MINUTE },
      refresh: { counter: 1 },
    })
  })

  t.test('nothing is bound that does not exist, was ended, or is past a limit', async (t) => {
    const { store } = await makeStore(t)
    t.equal(await settle(store, DEVICE), null)
    await store.addSignIn(signInRecord({ accountId: 'account-2' }))
    t.equal(await settle(store, DEVICE), null)
    t.notOk((await store.findSignIn('account-2', 'sign-in-1', NOW))?.binding)
    await store.addSignIn(signInRecord({ idleExpiresAt: NOW + 5 }))
    t.equal(await settle(store, DEVICE, NOW + 5), null)
    t.notOk((await store.findSignIn('account-1', 'sign-in-1', NOW + 4))?.binding)
    t.ok(await settle(store, DEVICE, NOW + 4))
    await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    t.equal(await settle(store, DEVICE), null)
    t.strictSame(await store.listSignIns('account-1', NOW), [])
  })

  t.test('a bound session ends with its sign-in', async (t) => {
    const { store } = await makeStore(t)
    for (const fields of [{}, { seal: 'a seal' }]) {
      await store.createSession('key', sessionRecord())
      await store.addSignIn(signInRecord({ ...fields, sessionKey: 'key' }))
      await settle(store, DEVICE)
      t.strictSame(await store.endSignIns('account-1', null, NOW), ['sign-in-1'])
      t.equal(await store.readSession('key', NOW), null)
    }
  })
}

async function endings(t: Test, makeStore: MakeStore) {
  t.test('ending a sign-in revokes it and removes its record and its session', async (t) => {
    const { store } = await makeStore(t)
    await store.createSession('session-1', sessionRecord())
    await store.createSession('session-2', sessionRecord())
    await store.addSignIn(signInRecord({ sessionKey: 'session-1' }))
    await store.addSignIn(signInRecord({ id: 'sign-in-2', sessionKey: 'session-2' }))
    t.equal(await store.endSignIn('account-1', 'sign-in-1', UNTIL), true)
    t.equal(await store.isLive(await refTo(store)), false)
    t.equal(await store.findSignIn('account-1', 'sign-in-1', NOW), null)
    t.equal(await store.readSession('session-1', NOW), null)
    t.equal(await store.isLive(await refTo(store, { signInId: 'sign-in-2' })), true)
    t.ok(await store.findSignIn('account-1', 'sign-in-2', NOW))
    t.ok(await store.readSession('session-2', NOW))
  })

  t.test('ending a sign-in without a record revokes it all the same, as often as one likes', async (t) => {
    const { store } = await makeStore(t)
    const ref = await refTo(store)
    t.equal(await store.endSignIn('account-1', 'sign-in-1', UNTIL), false)
    t.equal(await store.isLive(ref), false)
    t.equal(await store.endSignIn('account-1', 'sign-in-1', UNTIL), false)
    t.equal(await store.isLive(ref), false)
  })

  t.test('of 20 parallel endings one finds the record', async (t) => {
    const { store, twin = store } = await makeStore(t)
    await store.addSignIn(signInRecord({ sessionKey: 'session-1' }))
    const found = await Promise.all(
      times(20, (index) => (index % 2 ? store : twin).endSignIn('account-1', 'sign-in-1', UNTIL)),
    )
    t.equal(found.filter(Boolean).length, 1)
  })

  t.test('a revocation is dropped when its time has passed, and not before', async (t) => {
    const { store } = await makeStore(t)
    const ref = await refTo(store)
    await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    await store.endSignIn('account-1', 'sign-in-1', UNTIL - HOUR)
    await store.sweep(UNTIL + MARGIN - 1)
    t.equal(await store.isLive(ref), false)
    await store.sweep(UNTIL + MARGIN)
    t.equal(await store.isLive(ref), true)
    t.equal(await store.generation(), ref.generation)
  })

  t.test('the end of a sign-in on record is kept no longer than its credentials can live', async (t) => {
    const { store } = await makeStore(t)
    const far = NOW + 400 * 24 * HOUR
    // An hour more, for an instance whose clock is behind.
    const end = NOW + 25 * HOUR
    const refs = await Promise.all(
      ['idle', 'one', 'all', 'short', 'foreign', 'none'].map((signInId) => refTo(store, { signInId })),
    )
    for (const id of ['one', 'all', 'short']) await store.addSignIn(signInRecord({ id }))
    await store.addSignIn(signInRecord({ id: 'idle', idleExpiresAt: NOW + 5 }))
    await store.addSignIn(signInRecord({ id: 'foreign', accountId: 'account-2' }))
    for (const id of ['idle', 'one', 'foreign', 'none']) await store.endSignIn('account-1', id, far)
    await store.endSignIn('account-1', 'short', NOW + 5)
    await store.endSignIns('account-1', null, NOW)
    const live = () => Promise.all(refs.map(async (ref) => store.isLive(ref)))
    t.strictSame(await live(), [false, false, false, false, false, false])
    await store.sweep(NOW + 5 + MARGIN)
    t.strictSame(await live(), [false, false, false, true, false, false], 'never longer than it was asked to')
    await store.sweep(end + MARGIN - 1)
    t.strictSame(await live(), [false, false, false, true, false, false])
    await store.sweep(end + MARGIN)
    t.strictSame(await live(), [true, true, true, true, false, false], 'without a record of the account’s')
    await store.sweep(far + MARGIN)
    t.strictSame(await live(), [true, true, true, true, true, true])
  })

  t.test(
    'an end that comes again after the record has gone is kept for as long as it was asked to',
    async (t) => {
      const { store, twin = store } = await makeStore(t)
      const ref = await refTo(store)
      await store.addSignIn(signInRecord())
      await Promise.all(
        times(10, (index) => (index % 2 ? store : twin).endSignIn('account-1', 'sign-in-1', UNTIL)),
      )
      await store.endSignIn('account-1', 'sign-in-1', UNTIL + 48 * HOUR)
      await store.sweep(UNTIL + 48 * HOUR + MARGIN - 1)
      t.equal(await store.isLive(ref), false)
      await store.sweep(UNTIL + 48 * HOUR + MARGIN)
      t.equal(await store.isLive(ref), true)
    },
  )

  t.test('many revocations are dropped in one sweep', async (t) => {
    const { store } = await makeStore(t)
    const ids = times(1200, (index) => `s${index}`)
    await Promise.all(ids.map((id) => store.endSignIn('account-1', id, NOW)))
    await store.endSignIn('account-1', 'kept', NOW + 1)
    await store.sweep(NOW + MARGIN)
    const live = await Promise.all(
      ids.map(async (signInId) => store.isLive(await refTo(store, { signInId }))),
    )
    t.notOk(live.includes(false))
    t.equal(await store.isLive(await refTo(store, { signInId: 'kept' })), false)
  })

  t.test('ending all but one spares that one, other accounts, and what is past its limits', async (t) => {
    const { store } = await makeStore(t)
    for (const id of ['a', 'b', 'c']) {
      await store.createSession(id, sessionRecord())
      await store.addSignIn(signInRecord({ id, sessionKey: id }))
    }
    await store.addSignIn(signInRecord({ id: 'without-session' }))
    await store.addSignIn(signInRecord({ id: 'passed', idleExpiresAt: NOW + 5 }))
    await store.addSignIn(signInRecord({ accountId: 'account-2', id: 'other' }))
    const ended = await store.endSignIns('account-1', 'b', NOW + 5)
    t.strictSame([...ended].sort(), ['a', 'c', 'without-session'])
    for (const id of ended) {
      t.equal(await store.isLive(await refTo(store, { signInId: id })), false)
      t.equal(await store.readSession(id, NOW), null)
    }
    t.equal(await store.isLive(await refTo(store, { signInId: 'b' })), true)
    t.ok(await store.readSession('b', NOW))
    t.ok(await store.findSignIn('account-2', 'other', NOW))
    const left = (await store.listSignIns('account-1', NOW + 5)).map(({ id }) => id)
    t.strictSame(left, ['b'])
  })

  t.test(
    'ending what is below an epoch leaves those that began under it, and the one excepted',
    async (t) => {
      const { store } = await makeStore(t)
      for (const [id, epoch] of [
        ['old', 1],
        ['older', 0],
        ['excepted', 1],
        ['new', 2],
        ['newer', 3],
      ] as const) {
        await store.addSignIn(signInRecord({ id, epoch }))
      }
      const ended = await store.endSignIns('account-1', 'excepted', NOW, 2)
      t.strictSame([...ended].sort(), ['old', 'older'])
      for (const signInId of ['excepted', 'new', 'newer']) {
        t.equal(await store.isLive(await refTo(store, { signInId })), true, signInId)
      }
      const left = (await store.listSignIns('account-1', NOW)).map(({ id }) => id)
      t.strictSame(left.sort(), ['excepted', 'new', 'newer'])
    },
  )

  t.test('a sign-in ends with its session whatever its record says', async (t) => {
    const { store } = await makeStore(t)
    const odd = {
      mode: 'a",1,"\\',
      userAgent: '",null]\n\\u0000',
      claims: { text: '\ud800', list: [[], {}, null] },
    }
    const end: Record<string, (id: string) => Promise<unknown>> = {
      one: (id) => store.endSignIn('account-1', id, UNTIL),
      all: () => store.endSignIns('account-1', null, NOW),
      below: () => store.endSignIns('account-1', null, NOW, 2),
    }
    for (const [id, ending] of Object.entries(end)) {
      await store.createSession('k\n,|"é', sessionRecord())
      await store.addSignIn(signInRecord({ ...odd, id, sessionKey: 'k\n,|"é' }))
      await store.addSignIn(signInRecord({ ...odd, accountId: 'account-2', id, sessionKey: 'other' }))
      await ending(id)
      t.equal(await store.isLive(await refTo(store, { signInId: id })), false, id)
      t.equal(await store.findSignIn('account-1', id, NOW), null, id)
      t.equal(await store.readSession('k\n,|"é', NOW), null, id)
      t.ok(await store.findSignIn('account-2', id, NOW), id)
    }
  })

  t.test('ending all ends all, and then there is nothing left to end', async (t) => {
    const { store } = await makeStore(t)
    await store.addSignIn(signInRecord())
    await store.addSignIn(signInRecord({ id: 'sign-in-2' }))
    t.strictSame([...(await store.endSignIns('account-1', null, NOW))].sort(), ['sign-in-1', 'sign-in-2'])
    t.strictSame(await store.endSignIns('account-1', null, NOW), [])
    await store.sweep(NOW + 24 * HOUR + MARGIN - 1)
    t.equal(await store.isLive(await refTo(store, { signInId: 'sign-in-2' })), false)
  })
}

async function epochs(t: Test, makeStore: MakeStore) {
  t.test('a raised epoch refuses what is below it, and only of that account', async (t) => {
    const { store } = await makeStore(t)
    await store.raiseEpoch('account-1', 3, null, UNTIL)
    t.equal(await store.isLive(await refTo(store, { epoch: 2 })), false)
    t.equal(await store.isLive(await refTo(store, { epoch: 3 })), true)
    t.equal(await store.isLive(await refTo(store, { epoch: 4 })), true)
    t.equal(await store.isLive(await refTo(store, { accountId: 'account-2', epoch: 0 })), true)
  })

  t.test('epochs combine by max, in whatever order they come', async (t) => {
    const { store } = await makeStore(t)
    await Promise.all([3, 9, 5, 1].map((epoch) => store.raiseEpoch('account-1', epoch, null, UNTIL)))
    t.equal(await store.isLive(await refTo(store, { epoch: 8 })), false)
    t.equal(await store.isLive(await refTo(store, { epoch: 9 })), true)
  })

  t.test('the spared sign-in stays, until a later epoch does not spare it', async (t) => {
    const { store } = await makeStore(t)
    const ref = await refTo(store, { epoch: 1 })
    await store.raiseEpoch('account-1', 2, 'sign-in-1', UNTIL)
    t.equal(await store.isLive(ref), true)
    t.equal(await store.isLive({ ...ref, signInId: 'sign-in-2' }), false)
    t.equal(await store.isLive({ ...ref, accountId: 'account-2', signInId: 'sign-in-2' }), true)
    await store.raiseEpoch('account-1', 3, 'sign-in-1', UNTIL)
    t.equal(await store.isLive(ref), true)
    await store.raiseEpoch('account-1', 2, 'sign-in-2', UNTIL)
    t.equal(await store.isLive({ ...ref, signInId: 'sign-in-2' }), false)
    await store.raiseEpoch('account-1', 3, null, UNTIL)
    t.equal(await store.isLive(ref), true)
    await store.raiseEpoch('account-1', 4, null, UNTIL)
    t.equal(await store.isLive(ref), false)
  })

  t.test('a spared sign-in can still be ended', async (t) => {
    const { store } = await makeStore(t)
    await store.raiseEpoch('account-1', 2, 'sign-in-1', UNTIL)
    await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    t.equal(await store.isLive(await refTo(store)), false)
  })

  t.test('a raised epoch is dropped when its time has passed, and not before', async (t) => {
    const { store } = await makeStore(t)
    const ref = await refTo(store)
    await store.raiseEpoch('account-1', 2, 'sign-in-2', UNTIL)
    await store.raiseEpoch('account-1', 2, null, UNTIL - HOUR)
    await store.sweep(UNTIL + MARGIN - 1)
    t.equal(await store.isLive(ref), false)
    t.equal(await store.isLive({ ...ref, signInId: 'sign-in-2' }), true)
    await store.sweep(UNTIL + MARGIN)
    t.equal(await store.isLive(ref), true)
    t.equal(await store.generation(), ref.generation)
  })
}

/** What the store answers without a promise, when it says that it need not be asked again. */
async function revisions(t: Test, makeStore: MakeStore) {
  const revokings: Record<string, (store: StateStore) => Promise<unknown>> = {
    'the end of a sign-in': (store) => store.endSignIn('account-1', 'sign-in-1', UNTIL),
    'the end of one that has no record': (store) => store.endSignIn('account-1', 'sign-in-9', UNTIL),
    'the end of all sign-ins': (store) => store.endSignIns('account-1', null, NOW),
    'a raised epoch': (store) => store.raiseEpoch('account-1', 2, null, UNTIL),
    'an epoch raised by a twin': (store) => store.raiseEpoch('account-2', 2, 'sign-in-1', UNTIL),
  }
  for (const [name, revoke] of Object.entries(revokings)) {
    t.test(`${name} makes the revision another one, here and at a twin`, async (t) => {
      const { store, twin = store } = await makeStore(t)
      await store.addSignIn(signInRecord())
      const before = [await store.revision?.(), await twin.revision?.()]
      await revoke(twin)
      // Asked first, a twin has heard of it, where that takes a moment.
      const ref = await refTo(store)
      await store.isLive(ref)
      await twin.isLive(ref)
      for (const [index, each] of [store, twin].entries()) {
        const after = await each.revision?.()
        t.ok(after === undefined || after === -1 || after !== before[index], `${before[index]} to ${after}`)
      }
    })
  }
}

async function notices(t: Test, makeStore: MakeStore) {
  t.test('a listener hears of revocations, once for many, and of none after it has left', async (t) => {
    const { store } = await makeStore(t)
    // A store that cannot notice is asked from time to time.
    if (!store.onRevoked) return t.equal(store.revision?.() ?? -1, -1)
    await store.isLive(await refTo(store))
    await new Promise((resolve) => setTimeout(resolve, 20))
    let heard = 0
    let hear = () => {}
    // A double of the store may answer by promise.
    const leave = await store.onRevoked(() => {
      heard++
      hear()
    })
    const once = new Promise<void>((resolve) => {
      hear = resolve
    })
    await store.endSignIn('account-1', 'sign-in-1', UNTIL)
    await once
    t.equal(await store.isLive(await refTo(store)), false, 'by then it is known')
    leave()
    const before = heard
    await store.raiseEpoch('account-1', 2, null, UNTIL)
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(heard, before)
  })
}

async function sessions(t: Test, makeStore: MakeStore) {
  t.test('a session is created once, and read back whole', async (t) => {
    const { store } = await makeStore(t)
    t.equal(await store.createSession('key', sessionRecord()), true)
    t.equal(await store.createSession('key', sessionRecord({ sealed: 'other' })), false)
    t.strictSame(await store.readSession('key', NOW), sessionRecord())
    t.equal(await store.readSession('other', NOW), null)
    await store.createSession('empty', sessionRecord({ sealed: '' }))
    t.equal((await store.readSession('empty', NOW))?.sealed, '')
  })

  t.test('of 50 parallel creations of one key one succeeds', async (t) => {
    const { store, twin = store } = await makeStore(t)
    const made = await Promise.all(
      times(50, (index) => (index % 2 ? store : twin).createSession('key', sessionRecord())),
    )
    t.equal(made.filter(Boolean).length, 1)
  })

  t.test('a session is past a limit when now reaches it', async (t) => {
    const { store } = await makeStore(t)
    await store.createSession('idle', sessionRecord({ idleExpiresAt: NOW + 5 }))
    await store.createSession('absolute', sessionRecord({ absoluteExpiresAt: NOW + 5 }))
    for (const key of ['idle', 'absolute']) {
      t.ok(await store.readSession(key, NOW + 4), key)
      t.equal(await store.readSession(key, NOW + 5), null, key)
    }
  })

  t.test('a session is replaced by its next version only', async (t) => {
    const { store } = await makeStore(t)
    const next = sessionRecord({ version: 2, sealed: 'next', idleExpiresAt: NOW + 2 * HOUR })
    t.equal(await store.replaceSession('key', next), 'gone')
    t.equal(await store.readSession('key', NOW), null)
    await store.createSession('key', sessionRecord())
    for (const version of [1, 3]) {
      t.equal(await store.replaceSession('key', { ...next, version }), 'conflict')
    }
    t.strictSame(await store.readSession('key', NOW), sessionRecord())
    t.equal(await store.replaceSession('key', next), 'replaced')
    t.strictSame(await store.readSession('key', NOW), next)
    t.equal(await store.replaceSession('key', next), 'conflict')
  })

  t.test('of 50 parallel replacements of one version one succeeds, and none is lost silently', async (t) => {
    const { store, twin = store } = await makeStore(t)
    await store.createSession('key', sessionRecord())
    const results = await Promise.all(
      times(50, async (index) => ({
        index,
        result: await (index % 2 ? store : twin).replaceSession(
          'key',
          sessionRecord({ version: 2, sealed: `writer-${index}` }),
        ),
      })),
    )
    t.strictSame(tally(results.map(({ result }) => result)), { replaced: 1, conflict: 49 })
    const winner = results.find(({ result }) => result === 'replaced')
    t.equal((await store.readSession('key', NOW))?.sealed, `writer-${winner?.index}`)
  })

  t.test('a touch moves the idle limit forward only, and keeps version and data', async (t) => {
    const { store } = await makeStore(t)
    await store.createSession('key', sessionRecord())
    t.equal(await store.touchSession('key', NOW + 2 * HOUR), true)
    const moved = sessionRecord({ idleExpiresAt: NOW + 2 * HOUR })
    t.strictSame(await store.readSession('key', NOW), moved)
    t.equal(await store.touchSession('key', NOW + HOUR), true)
    t.strictSame(await store.readSession('key', NOW), moved)
    t.equal(await store.touchSession('key', NOW + 48 * HOUR), true)
    t.equal((await store.readSession('key', NOW))?.idleExpiresAt, NOW + 24 * HOUR)
    t.equal(await store.readSession('key', NOW + 24 * HOUR), null)
    t.equal(await store.replaceSession('key', sessionRecord({ version: 2 })), 'replaced')
  })

  t.test('a destroyed session stays destroyed, whatever is in flight', async (t) => {
    const { store, twin = store } = await makeStore(t)
    await store.createSession('key', sessionRecord())
    const inFlight = await Promise.all([
      store.destroySession('key'),
      ...times(20, () => twin.replaceSession('key', sessionRecord({ version: 2 }))),
      ...times(20, () => twin.touchSession('key', NOW + 2 * HOUR)),
    ])
    t.equal(inFlight[0], true)
    t.equal(await store.replaceSession('key', sessionRecord({ version: 2 })), 'gone')
    t.equal(await store.touchSession('key', NOW + 2 * HOUR), false)
    t.equal(await store.destroySession('key'), false)
    t.equal(await store.readSession('key', NOW), null)
  })
}

async function once(t: Test, makeStore: MakeStore) {
  t.test('of 50 parallel uses of one key one succeeds, and none later', async (t) => {
    const { store, twin = store } = await makeStore(t)
    const uses = await Promise.all(
      times(50, (index) => (index % 2 ? store : twin).spendOnce?.('key', UNTIL, NOW)),
    )
    t.strictSame(tally(uses.map(String)), { true: 1, false: 49 })
    t.equal(await twin.spendOnce?.('key', UNTIL, UNTIL - 1), false)
    t.equal(await store.spendOnce?.('key', UNTIL, UNTIL + MINUTE), false, 'for a clock that is behind')
  })

  t.test('each key is used up on its own', async (t) => {
    const { store } = await makeStore(t)
    for (const key of ODD_IDS) t.equal(await store.spendOnce?.(key, UNTIL, NOW), true, key)
    for (const key of ODD_IDS) t.equal(await store.spendOnce?.(key, UNTIL, NOW), false, key)
  })
}

async function oddIds(t: Test, makeStore: MakeStore) {
  t.test('odd ids name different sign-ins, accounts, sessions and revocations', async (t) => {
    const { store } = await makeStore(t)
    for (const odd of ODD_IDS) {
      await store.addSignIn(signInRecord({ accountId: odd, id: odd, sessionKey: odd, ip: odd }))
      await store.createSession(odd, sessionRecord({ sealed: odd }))
    }
    for (const odd of ODD_IDS) {
      t.equal((await store.findSignIn(odd, odd, NOW))?.ip, odd)
      t.equal((await store.readSession(odd, NOW))?.sealed, odd)
      t.strictSame(
        (await store.listSignIns(odd, NOW)).map(({ id }) => id),
        [odd],
      )
    }
    const [gone = '', ...rest] = ODD_IDS
    t.equal(await store.endSignIn(gone, gone, UNTIL), true)
    t.equal(await store.findSignIn(gone, gone, NOW), null)
    t.equal(await store.readSession(gone, NOW), null)
    for (const odd of rest) {
      t.equal(await store.isLive(await refTo(store, { accountId: odd, signInId: odd })), true)
      t.ok(await store.findSignIn(odd, odd, NOW))
      t.ok(await store.readSession(odd, NOW))
    }
  })

  t.test('the sign-ins of an account whose id holds a NUL are its own', async (t) => {
    const { store } = await makeStore(t)
    const refresh = { counter: 1, keyId: 'key', rotatedAt: NOW }
    for (const accountId of ['a', 'a\0b']) {
      await store.addSignIn(signInRecord({ accountId, refresh }))
      t.equal((await store.findSignIn(accountId, 'sign-in-1', NOW))?.accountId, accountId)
      t.equal((await store.listSignIns(accountId, NOW))[0]?.accountId, accountId)
      const rotation = { presented: 1, keyId: 'key', now: NOW, grace: 0 }
      const rotated = await store.rotateRefresh(accountId, 'sign-in-1', rotation)
      t.match(rotated, { outcome: 'rotated', signIn: { accountId } })
    }
    t.equal(await store.endSignIn('a\0b', 'sign-in-1', UNTIL), true)
    t.ok(await store.findSignIn('a', 'sign-in-1', NOW))
  })

  t.test('revocations of odd ids hit what they name alone', async (t) => {
    const { store } = await makeStore(t)
    const live = async (accountId: string, signInId: string) =>
      store.isLive(await refTo(store, { accountId, signInId }))
    for (const ended of ODD_IDS) {
      await store.endSignIn('somebody', ended, UNTIL)
      t.equal(await live('somebody', ended), false, ended)
    }
    t.equal(await live('somebody', 's:a'), true)
    for (const raised of ODD_IDS) {
      t.equal(await live(raised, 'untouched'), true, raised)
      await store.raiseEpoch(raised, 2, 'spared', UNTIL)
      t.equal(await live(raised, 'untouched'), false, raised)
      t.equal(await live(raised, 'spared'), true, raised)
    }
    await store.raiseEpoch('p', 2, 'q:r', UNTIL)
    await store.raiseEpoch('p:q', 2, null, UNTIL)
    t.equal(await live('p', 'q:r'), true)
    t.equal(await live('p:q', 'r'), false)
  })
}

async function twins(t: Test, makeStore: MakeStore) {
  t.test('two stores over one engine see each other’s writes at once', async (t) => {
    const { store, twin } = await makeStore(t)
    if (!twin) return t.equal(store.kind, 'memory', 'only memory cannot be shared')
    const ref = await refTo(store)
    t.equal(await twin.generation(), ref.generation)
    await store.addSignIn(signInRecord({ sessionKey: 'key' }))
    await twin.createSession('key', sessionRecord())
    t.ok(await twin.findSignIn('account-1', 'sign-in-1', NOW))
    t.equal(await store.replaceSession('key', sessionRecord({ version: 2 })), 'replaced')
    t.equal((await twin.readSession('key', NOW))?.version, 2)
    t.equal(await store.isLive(ref), true)
    t.equal(await twin.endSignIn('account-1', 'sign-in-1', UNTIL), true)
    t.equal(await store.isLive(ref), false)
    t.equal(await store.readSession('key', NOW), null)
    await store.raiseEpoch('account-2', 2, null, UNTIL)
    t.equal(await twin.isLive({ ...ref, accountId: 'account-2', signInId: 'x' }), false)
  })
}
