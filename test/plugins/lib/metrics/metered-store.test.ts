import t from 'tap'
import { StoreUnavailable } from '../../../../plugins/lib/errors.js'
import { meterStore, type StoreOperation } from '../../../../plugins/lib/metrics/metered-store.js'
import type { StateStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { faultyStore } from '../../../helpers/suite.js'
import { sessionRecord, signInRecord, storeContract } from '../../../store-contract.js'

interface Told {
  readonly operation: StoreOperation
  readonly failed: boolean
}

function meter(inner: StateStore) {
  let told: Told[] = []
  const store = meterStore(inner, (operation) => (seconds, failed) => {
    if (!(seconds >= 0 && seconds < 10)) throw new RangeError(`${seconds} s`)
    told.push({ operation, failed })
  })
  const take = () => {
    const taken = told
    told = []
    return taken
  }
  return { store, take }
}

/** Every operation once. */
const CALLS: Record<StoreOperation, (store: StateStore) => unknown> = {
  generation: (store) => store.generation(),
  isLive: (store) => store.isLive({ accountId: 'a', signInId: 's', epoch: 1, generation: 1 }),
  addSignIn: (store) => store.addSignIn(signInRecord()),
  findSignIn: (store) => store.findSignIn('a', 's', 0),
  listSignIns: (store) => store.listSignIns('a', 0),
  touchSignIn: (store) => store.touchSignIn('a', 's', 1, 1),
  rotateRefresh: (store) => store.rotateRefresh('a', 's', { presented: 0, keyId: 'k', now: 0, grace: 0 }),
  resealSignIn: (store) => store.resealSignIn?.(signInRecord(), 'seal'),
  settleBinding: (store) => store.settleBinding?.('a', 's', 'none', 0),
  spendOnce: (store) => store.spendOnce?.('k', 1, 0),
  endSignIn: (store) => store.endSignIn('a', 's', 1),
  endSignIns: (store) => store.endSignIns('a', null, 0),
  raiseEpoch: (store) => store.raiseEpoch('a', 1, null, 1),
  createSession: (store) => store.createSession('k', sessionRecord()),
  readSession: (store) => store.readSession('k', 0),
  replaceSession: (store) => store.replaceSession('k', sessionRecord()),
  touchSession: (store) => store.touchSession('k', 1),
  destroySession: (store) => store.destroySession('k'),
  ping: (store) => store.ping(),
  sweep: (store) => store.sweep(0),
}

storeContract(t, 'memory, metered', async (t) => {
  const { store } = meter(createMemoryStore())
  t.teardown(() => store.close())
  return { store }
})

t.test('each operation is told of once, when it has ended', async (t) => {
  const { store, take } = meter(faultyStore(createMemoryStore(), { promises: true }).store)
  for (const [operation, call] of Object.entries(CALLS)) {
    const running = call(store)
    t.same(take(), [], `${operation} is under way`)
    await running
    t.same(take(), [{ operation, failed: false }])
  }
})

t.test('one that fails fails as it did, and is told of as a fault', async (t) => {
  const { store: inner, failing } = faultyStore(createMemoryStore())
  const { store, take } = meter(inner)
  for (const [operation, call] of Object.entries(CALLS)) {
    failing.add(operation as StoreOperation)
    await t.rejects(async () => call(store), { code: 'STORE_UNAVAILABLE' }, operation)
    t.same(take(), [{ operation, failed: true }])
  }
})

t.test('what answers, or fails, without a promise still does', async (t) => {
  const { store, take } = meter(createMemoryStore())
  t.type(store.generation(), 'number')
  t.equal(store.readSession('none', 0), null)
  t.same(take(), [
    { operation: 'generation', failed: false },
    { operation: 'readSession', failed: false },
  ])
  t.type(CALLS.isLive(store), 'boolean')
  t.same(take(), [], 'asked with every request: only a promise is timed')
  const broken = createMemoryStore()
  const fail = () => {
    throw new StoreUnavailable()
  }
  const { store: failing, take: takeFaults } = meter(
    Object.assign(broken, { isLive: fail, readSession: fail }),
  )
  for (const operation of ['isLive', 'readSession'] as const) {
    t.throws(() => CALLS[operation](failing), { code: 'STORE_UNAVAILABLE' })
    t.same(takeFaults(), [{ operation, failed: true }])
  }
  const { store: torn, take: takeTorn } = meter(Object.assign(createMemoryStore(), { revision: fail }))
  t.throws(() => torn.revision?.(), { code: 'STORE_UNAVAILABLE' })
  t.same(takeTorn(), [{ operation: 'isLive', failed: true }], 'a file that is closed is noticed there first')
})

t.test('kind and feed are the store’s own', async (t) => {
  const feed = { healthy: () => true, onChange: () => () => {} }
  const { store } = meter(Object.assign(createMemoryStore(), { feed }))
  t.equal(store.kind, 'memory')
  t.equal(store.feed, feed)
})
