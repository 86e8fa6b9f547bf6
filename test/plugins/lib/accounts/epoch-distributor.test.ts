import { type Test, test } from 'tap'
import type { RaisedAccount } from '../../../../plugins/lib/accounts/contract.js'
import { EpochDistributor, type RetryTimes } from '../../../../plugins/lib/accounts/epoch-distributor.js'

const TIMES: RetryTimes = { first: 1, longest: 4, look: 60_000 }

const raisedOf = (id: string, epoch = 2): RaisedAccount => ({
  account: { id, username: id, role: 'user', epoch },
  spare: null,
})

/** A ledger and a store in memory, either of which can be out of order. */
function parts(t: Test, times: RetryTimes = TIMES) {
  const pending = new Map<string, RaisedAccount>()
  const told: string[] = []
  const warnings: object[] = []
  const broken = { ledger: false, store: false }
  const distributor = new EpochDistributor({
    times,
    log: { warn: (entry: object) => void warnings.push(entry) },
    ledger: {
      async pending(limit) {
        if (broken.ledger) throw new Error('the database is away')
        return [...pending.values()].slice(0, limit)
      },
      async settle({ account }) {
        if (broken.ledger) throw new Error('the database is away')
        pending.delete(account.id)
      },
    },
    async raise({ account }) {
      if (broken.store) throw new Error('the store is away')
      told.push(account.id)
    },
  })
  t.teardown(() => distributor.close())
  const raise = (id: string) => {
    pending.set(id, raisedOf(id))
    return raisedOf(id)
  }
  return { distributor, pending, told, warnings, broken, raise }
}

async function until(check: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!check() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('what is told is settled', async (t) => {
  const { distributor, pending, told, raise, warnings } = parts(t)
  await distributor.distribute(raise('a'))
  t.same(told, ['a'])
  t.equal(pending.size, 0)
  t.same(warnings, [])
})

test('what cannot be told is the caller’s error, and is told when the store is back', async (t) => {
  const { distributor, pending, told, raise, broken, warnings } = parts(t)
  broken.store = true
  await t.rejects(distributor.distribute(raise('a')), /the store is away/)
  await t.rejects(distributor.distribute(raise('b')), /the store is away/)
  await until(() => warnings.length >= 6)
  const delays = warnings.map((warning) => 'delay' in warning && warning.delay)
  t.same(delays.slice(0, 6), [1, 2, 4, 4, 4, 4], 'each time twice as late, up to a bound')
  t.same(told, [])
  broken.store = false
  await until(() => pending.size === 0)
  t.same(told, ['a', 'b'])
  const before = warnings.length
  broken.store = true
  await t.rejects(distributor.distribute(raise('c')))
  await until(() => warnings.length > before)
  t.match(warnings[before], { delay: 1 }, 'the next trouble starts anew')
})

test('told but not noted is no failure: it is told again', async (t) => {
  const { distributor, pending, told, raise, broken, warnings } = parts(t)
  broken.ledger = true
  await distributor.distribute(raise('a'))
  t.match(warnings, [{ err: { message: 'the database is away' } }])
  broken.ledger = false
  await distributor.start()
  t.same(told, ['a', 'a'])
  t.equal(pending.size, 0)
})

test('a start tells of what is left, however much', async (t) => {
  const { distributor, pending, told, raise } = parts(t)
  for (let i = 0; i < 250; i++) raise(`account ${i}`)
  await distributor.start()
  await until(() => pending.size === 0)
  t.equal(new Set(told).size, 250)
})

test('a start does not fail when ledger or store are away', async (t) => {
  for (const place of ['ledger', 'store'] as const) {
    const { distributor, pending, raise, broken } = parts(t)
    raise('a')
    broken[place] = true
    await distributor.start()
    t.equal(pending.size, 1)
    broken[place] = false
    await until(() => pending.size === 0)
    t.equal(pending.size, 0, place)
  }
})

test('what another process left is found while all is well', async (t) => {
  const { distributor, pending, raise, told } = parts(t, { ...TIMES, look: 5 })
  await distributor.start()
  raise('a')
  await until(() => pending.size === 0)
  t.same(told, ['a'])
})

test('after a doubt it looks soon, again and again, and ever less often', async (t) => {
  const { distributor, pending, raise, told, broken, warnings } = parts(t, {
    first: 5,
    longest: 10,
    look: 60_000,
  })
  await distributor.start()
  broken.ledger = true
  distributor.doubt()
  await until(() => warnings.length > 2)
  broken.ledger = false
  // Stored after the first looks: the server was at it when the answer was given up.
  await new Promise((resolve) => setTimeout(resolve, 30))
  raise('a')
  await until(() => pending.size === 0)
  t.same(told, ['a'])
})

test('after the close nothing is looked at any more', async (t) => {
  const { distributor, raise, broken, warnings, told } = parts(t)
  broken.store = true
  await t.rejects(distributor.distribute(raise('a')))
  await distributor.close()
  const before = warnings.length
  broken.store = false
  distributor.doubt()
  await t.rejects(
    (async () => {
      broken.store = true
      await distributor.distribute(raise('b'))
    })(),
  )
  broken.store = false
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(told, [])
  t.equal(warnings.length, before)
})

test('the times have defaults', async (t) => {
  const ledger = { pending: async () => [], settle: async () => {} }
  const distributor = new EpochDistributor({ ledger, raise: async () => {}, log: { warn: () => {} } })
  await distributor.start()
  await distributor.close()
  t.pass('and hold up no process')
})
