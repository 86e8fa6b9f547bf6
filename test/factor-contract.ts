import type { Test } from 'tap'
import type { FactorSource, StoredFactor } from '../plugins/lib/factors/contract.js'
import { START } from './helpers/clock.js'

export interface FactorsUnderTest {
  readonly source: FactorSource
  /** Adds an account. @returns its id */
  addAccount(username: string): Promise<string>
}

const CAP = 3

/** Every FactorSource must pass these tests. */
export function testFactorContract(t: Test, open: (t: Test) => Promise<FactorsUnderTest>): void {
  async function setUp(t: Test) {
    const factors = await open(t)
    const accountId = await factors.addAccount('alice')
    let made = 0
    const make = (more: Partial<StoredFactor> = {}): StoredFactor => ({
      id: `factor${++made}`,
      accountId,
      kind: 'totp',
      name: 'phone, «日本»',
      secret: `secret ${made}`,
      keyId: 'key-1',
      counter: 59_999_999,
      createdAt: START + made,
      lastUsedAt: null,
      ...more,
    })
    const add = async (more: Partial<StoredFactor> = {}) => {
      const factor = make(more)
      t.equal(await factors.source.add(factor, CAP), 'added')
      return factor
    }
    const ids = async (account = accountId) => (await factors.source.list(account)).map(({ id }) => id)
    return { ...factors, accountId, make, add, ids }
  }

  const codes = (more: Partial<StoredFactor> = {}): Partial<StoredFactor> => ({
    id: 'rc_1',
    kind: 'recovery_code',
    name: '',
    keyId: null,
    secret: '["a","b"]',
    ...more,
  })

  t.test('a factor is found as it was stored', async (t) => {
    const { source, add, accountId } = await setUp(t)
    const passkey = { kind: 'passkey', keyId: null, counter: 0, lastUsedAt: START } as const
    for (const factor of [await add(), await add(passkey), await add(codes({ counter: 2 ** 47 }))]) {
      const found = await source.find(factor.id)
      t.same(found, factor)
      t.ok(Object.isFrozen(found))
    }
    t.equal((await source.list(accountId)).length, 3)
  })

  t.test('an unknown id is null, and its account has none, whatever is in it', async (t) => {
    const { source, add } = await setUp(t)
    await add()
    for (const id of ['0'.repeat(16), '', "' OR 1=1 --", 'a\0b', '%', '__proto__']) {
      t.equal(await source.find(id), null)
      t.same(await source.list(id), [])
      t.equal(await source.rename(id, 'factor1', 'mine'), false)
      t.equal(await source.remove(id, ['factor1', id]), 0)
      t.equal(await source.spend(id, id, 1, { counter: 2, at: START }), false)
    }
  })

  t.test('an account’s own are listed, oldest first', async (t) => {
    const { add, addAccount, ids } = await setUp(t)
    const [young, old] = [await add({ createdAt: START + 9 }), await add({ createdAt: START + 1 })]
    const bob = await addAccount('bob')
    const other = await add({ accountId: bob })
    t.same(await ids(), [old.id, young.id])
    t.same(await ids(bob), [other.id])
  })

  t.test('an id exists once, even for another account', async (t) => {
    const { source, add, make, addAccount, ids } = await setUp(t)
    const factor = await add()
    const bob = await addAccount('bob')
    for (const accountId of [factor.accountId, bob])
      t.equal(await source.add(make({ id: factor.id, accountId, secret: 'other' }), CAP), 'taken')
    t.same(await source.find(factor.id), factor)
    t.same(await ids(bob), [])
  })

  t.test('an account has no more than the cap, besides recovery codes', async (t) => {
    const { source, add, make, addAccount, ids } = await setUp(t)
    await add(codes())
    for (let i = 0; i < CAP; i += 1) await add()
    t.equal(await source.add(make(), CAP), 'full')
    t.equal((await ids()).length, CAP + 1)
    await add({ accountId: await addAccount('bob') })
    await add(codes({ secret: '["c"]' }))
  })

  t.test('parallel additions never exceed the cap', async (t) => {
    const { source, make, ids } = await setUp(t)
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => source.add(make(), CAP)))
    t.equal(outcomes.filter((outcome) => outcome === 'added').length, CAP)
    t.equal(outcomes.filter((outcome) => outcome === 'full').length, 12 - CAP)
    t.equal((await ids()).length, CAP)
  })

  t.test('only one of many parallel additions of one id succeeds', async (t) => {
    const { source, make } = await setUp(t)
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => source.add(make({ id: 'one' }), 100)))
    t.equal(outcomes.filter((outcome) => outcome === 'added').length, 1)
    t.equal(outcomes.filter((outcome) => outcome === 'taken').length, 11)
  })

  t.test('new recovery codes replace the old ones, and nobody else’s', async (t) => {
    const { source, add, make, addAccount, ids } = await setUp(t)
    await add(codes({ counter: 5, lastUsedAt: START }))
    const renewed = await add(codes({ counter: 99, secret: '["c"]', createdAt: START + 50 }))
    t.same(await source.find('rc_1'), renewed)
    t.equal((await ids()).length, 1)
    const bob = await addAccount('bob')
    await source.add(make({ ...codes(), accountId: bob }), CAP)
    t.same(await source.find('rc_1'), renewed, 'an id of another account changes nothing')
  })

  t.test('a use is written once for each counter', async (t) => {
    const { source, add, accountId } = await setUp(t)
    const factor = await add({ counter: 10 })
    t.equal(await source.spend(accountId, factor.id, 9, { counter: 11, at: START }), false)
    t.same(await source.find(factor.id), factor)
    const spends = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        source.spend(accountId, factor.id, 10, { counter: 11 + n, at: START + n }),
      ),
    )
    t.equal(spends.filter(Boolean).length, 1)
    const winner = spends.indexOf(true)
    const used = { ...factor, counter: 11 + winner, lastUsedAt: START + winner }
    t.same(await source.find(factor.id), used, 'the secret is still the same')
  })

  t.test('a use may change the secret', async (t) => {
    const { source, add, accountId } = await setUp(t)
    const { id } = await add({ counter: 1 })
    t.ok(await source.spend(accountId, id, 1, { counter: 2, at: START, secret: 'new', keyId: 'key-2' }))
    t.match(await source.find(id), { secret: 'new', keyId: 'key-2', counter: 2 })
    t.ok(await source.spend(accountId, id, 2, { counter: 3, at: START, secret: 'bare', keyId: null }))
    t.match(await source.find(id), { secret: 'bare', keyId: null })
  })

  t.test('nobody spends, renames or removes another account’s factor', async (t) => {
    const { source, add, addAccount } = await setUp(t)
    const factor = await add({ counter: 1 })
    const bob = await addAccount('bob')
    t.equal(await source.spend(bob, factor.id, 1, { counter: 2, at: START }), false)
    t.equal(await source.rename(bob, factor.id, 'mine'), false)
    t.equal(await source.remove(bob, [factor.id]), 0)
    t.same(await source.find(factor.id), factor)
  })

  t.test('a factor gets another name, and nothing else', async (t) => {
    const { source, add, accountId } = await setUp(t)
    const factor = await add()
    t.equal(await source.rename(accountId, factor.id, 'the old phone'), true)
    t.same(await source.find(factor.id), { ...factor, name: 'the old phone' })
    t.equal(await source.rename(accountId, 'none', 'x'), false)
  })

  t.test('removed factors are gone, and counted', async (t) => {
    const { source, add, accountId, ids } = await setUp(t)
    const [one, two, three] = [await add(), await add(), await add(codes())]
    t.equal(await source.remove(accountId, []), 0)
    t.equal(await source.remove(accountId, [one.id, three.id, 'none']), 2)
    t.same(await ids(), [two.id])
    t.equal(await source.remove(accountId, [one.id]), 0)
    t.equal(await source.spend(accountId, one.id, one.counter, { counter: 2 ** 40, at: START }), false)
    t.equal(await source.find(one.id), null)
  })

  t.test('secrets are counted and listed by the key that seals them', async (t) => {
    const { source, add } = await setUp(t)
    t.same([...(await source.sealedBy())], [])
    const [one] = [await add(), await add(), await add({ keyId: 'key-2' })]
    await add(codes())
    const counts = new Map([
      ['key-1', 2],
      ['key-2', 1],
    ])
    t.same(new Map(await source.sealedBy()), counts)
    t.equal((await source.listSealedBy('key-1', 1)).length, 1)
    t.same(await source.listSealedBy('key-3', 10), [])
    t.same((await source.listSealedBy('key-1', 10)).map(({ id }) => id).sort(), ['factor1', 'factor2'])
    t.same(
      (await source.listSealedBy('key-1', 10)).find(({ id }) => id === one?.id),
      one,
    )
  })

  t.test('a secret is sealed again only if it is still the same', async (t) => {
    const { source, add, accountId } = await setUp(t)
    const factor = await add({ counter: 1 })
    t.equal(await source.reseal({ ...factor, secret: 'another' }, 'new', 'key-2'), false)
    t.same(await source.find(factor.id), factor)
    await source.spend(accountId, factor.id, 1, { counter: 2, at: START })
    t.equal(await source.reseal(factor, 'new', 'key-2'), true)
    const resealed = { ...factor, secret: 'new', keyId: 'key-2', counter: 2, lastUsedAt: START }
    t.same(await source.find(factor.id), resealed, 'a use meanwhile is kept')
    t.equal(await source.reseal(factor, 'newer', 'key-3'), false)
  })
}
