import t from 'tap'
import { createMemoryStore } from '../../../../../plugins/lib/stores/memory/store.js'
import { SPENT_MARGIN } from '../../../../../plugins/lib/stores/rules.js'
import { signInRecord, storeContract } from '../../../../store-contract.js'

storeContract(t, 'memory', async (t) => {
  const store = createMemoryStore()
  t.teardown(() => store.close())
  return { store }
})

t.test('what a caller does to its record afterwards does not reach the store', async (t) => {
  const store = createMemoryStore()
  const record = { ...signInRecord() }
  await store.addSignIn(record)
  record.absoluteExpiresAt = Number.MAX_SAFE_INTEGER
  const found = await store.findSignIn(record.accountId, record.id, record.createdAt)
  t.equal(found?.absoluteExpiresAt, signInRecord().absoluteExpiresAt)
  t.ok(Object.isFrozen(found))
})

t.test('answers without a promise where the contract allows it', async (t) => {
  const store = createMemoryStore()
  const generation = store.generation()
  t.type(generation, 'number')
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: await generation }
  t.equal(store.isLive(ref), true)
  t.equal(store.readSession('none', 0), null)
})

t.test('a spent key is forgotten when no clock can need it', async (t) => {
  const store = createMemoryStore()
  t.equal(await store.spendOnce?.('key', 1000, 0), true)
  t.equal(await store.spendOnce?.('key', 1000, 1000 + SPENT_MARGIN - 1), false)
  t.equal(await store.spendOnce?.('key', 1000, 1000 + SPENT_MARGIN), true)
})
