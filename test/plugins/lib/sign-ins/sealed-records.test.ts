import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { databaseFile, openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { newSignInId } from '../../../../plugins/lib/sign-ins/record-seal.js'
import { SealedRecords } from '../../../../plugins/lib/sign-ins/sealed-records.js'
import type { StateStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { RedisStore } from '../../../../plugins/lib/stores/redis/store.js'
import { createSqliteStore } from '../../../../plugins/lib/stores/sqlite/store.js'
import { startRedis } from '../../../helpers/redis-server.js'
import { signInRecord } from '../../../store-contract.js'

const SECRET = 'a secret for tests: '.padEnd(32, '.')
const NEXT = 'the next secret for tests: '.padEnd(32, '.')
const keysOf = (...secrets: string[]) => createKeyRing(secrets).purpose('sign-in')
const KEYS = keysOf(SECRET)
const server = await startRedis({ tcp: true })
t.teardown(() => server.stop())
const redis = new Redis(server.url)
t.teardown(() => redis.disconnect())

const STORES: Record<string, (t: Test) => Promise<StateStore>> = {
  memory: async () => createMemoryStore(),
  sqlite: async (t) => createSqliteStore(await openDatabase(databaseFile(t.testdir()))),
  redis: async () => new RedisStore(redis),
}

const unread = signInRecord({
  id: newSignInId(),
  mode: 'token',
  refresh: { counter: 0, keyId: 'key-1', rotatedAt: 1 },
  claims: { team: 'blue' },
})
/** What a record without factors is taken for. */
const record = { ...unread, factors: [{ method: 'password', at: unread.createdAt }] as const }
const { accountId, id, createdAt: now, epoch, absoluteExpiresAt } = record
const rotation = { presented: 0, keyId: 'key-1', now, grace: 0 }

for (const [name, open] of Object.entries(STORES)) {
  t.test(`${name}: a record is stored sealed, and read, listed and rotated as it was`, async (t) => {
    const store = await open(t)
    t.teardown(() => store.close())
    const records = new SealedRecords(store, KEYS)
    t.equal(await records.add(record), 1)
    t.notMatch(JSON.stringify(await store.listSignIns(accountId, now)), 'blue')
    t.same(await records.find(accountId, id, now), record)
    t.same(await records.list(accountId, now), [record])
    const terms = { epoch, endsAfter: absoluteExpiresAt, claimsMax: 1 }
    const unmet = await records.rotate(accountId, id, { ...rotation, terms })
    t.equal(unmet.outcome, 'unmet', 'a store that cannot read claims counts what is around them as well')
    t.match(await records.rotate(accountId, id, { ...rotation, terms: { ...terms, claimsMax: 1000 } }), {
      outcome: 'rotated',
      signIn: { claims: { team: 'blue' }, refresh: { counter: 1 } },
    })
    await store.endSignIn(accountId, id, absoluteExpiresAt)
  })

  t.test(
    `${name}: a rotation seals under the secret that signs now, so that the old one can go`,
    async (t) => {
      const store = await open(t)
      t.teardown(() => store.close())
      await new SealedRecords(store, KEYS).add(record)
      const [before] = await store.listSignIns(accountId, now)
      const both = new SealedRecords(store, keysOf(NEXT, SECRET))
      t.match(await both.rotate(accountId, id, rotation), { outcome: 'rotated' })
      const [after] = await store.listSignIns(accountId, now)
      t.not(after?.seal, before?.seal)
      const alone = new SealedRecords(store, keysOf(NEXT))
      t.match(await alone.rotate(accountId, id, { ...rotation, presented: 1 }), {
        outcome: 'rotated',
        signIn: { claims: { team: 'blue' }, refresh: { counter: 2 } },
      })
      if (!before || !after) return t.fail()
      await store.resealSignIn?.(before, 'of one who was late')
      t.same((await store.listSignIns(accountId, now))[0]?.seal, after.seal)
      await store.endSignIn(accountId, id, absoluteExpiresAt)
      await store.resealSignIn?.(after, 'no record comes back')
      t.same(await store.listSignIns(accountId, now), [])
    },
  )
}

t.test('claims that are written into Redis are nobody’s', async (t) => {
  const records = new SealedRecords(new RedisStore(redis), KEYS)
  await records.add(record)
  const key = `fid:si:{${accountId}}`
  const text = (await redis.hget(key, id)) ?? ''
  const [head = '', json = ''] = text.split('\n')
  const fixed: unknown[] = JSON.parse(json)
  const forged = {
    'in their place': fixed.toSpliced(7, 1, { team: 'red' }),
    'as 0.1 wrote them': fixed.toSpliced(7, 2, { team: 'red' }),
    'with another epoch': fixed.toSpliced(1, 1, 9),
  }
  for (const [how, fields] of Object.entries(forged)) {
    await redis.hset(key, id, `${head}\n${JSON.stringify(fields)}`)
    const result = await records.rotate(accountId, id, rotation)
    const claims = result.outcome === 'gone' ? null : result.signIn.claims
    t.notMatch(claims, { team: 'red' }, how)
    t.notMatch(await records.list(accountId, now), [{ claims: { team: 'red' } }], how)
  }
  await redis.hset(key, id, text.replace(/^(\w+),(\w+),\w+/, '$1,$2,zzzzzzzz'))
  t.same(await records.rotate(accountId, id, rotation), { outcome: 'gone' }, 'nor a later end')
})

t.test('version 0.1 reads a record without claims, and refuses one whose claims it cannot see', async (t) => {
  const records = new SealedRecords(new RedisStore(redis), KEYS)
  await records.add(record)
  await records.add({ ...record, id: newSignInId(), accountId: 'bare', claims: null })
  // What it took for claims: the eighth of a list whose further members it did not look at.
  const eighth = async (account: string) => {
    const [text = ''] = await redis.hvals(`fid:si:{${account}}`)
    return JSON.parse(text.slice(text.indexOf('\n')))[7]
  }
  t.equal(await eighth('bare'), null)
  t.not(typeof (await eighth(accountId)), 'object', 'it takes the record for one that cannot be read')
})

for (const [name, open] of Object.entries(STORES)) {
  t.test(`${name}: a record is bound once, and an altered one never`, async (t) => {
    const store = await open(t)
    t.teardown(() => store.close())
    const records = new SealedRecords(store, KEYS)
    const bound = { ...record, id: newSignInId() }
    await records.add(bound)
    t.same(await records.settle(accountId, bound.id, 'one', now), { ...bound, binding: 'one' })
    t.same(await records.settle(accountId, bound.id, 'two', now), { ...bound, binding: 'one' })
    t.equal((await records.find(accountId, bound.id, now))?.binding, 'one')
    const altered = { ...bound, id: newSignInId() }
    await store.addSignIn(altered)
    t.equal(await records.settle(accountId, altered.id, 'one', now), null)
    await store.endSignIns(accountId, null, now)
  })
}

const TOTP = { method: 'totp', at: now + 1000 } as const

for (const [name, open] of Object.entries(STORES)) {
  t.test(
    `${name}: factors that many callers add at once are all added, and rotation and list have them`,
    async (t) => {
      const store = await open(t)
      t.teardown(() => store.close())
      const records = new SealedRecords(store, KEYS)
      const { id } = { id: newSignInId() }
      await records.add({ ...record, id })
      const given = (['totp', 'recovery_code', 'passkey', 'external', 'password'] as const).map(
        (method, index) => ({
          method,
          at: now + (index + 1) * 1000,
        }),
      )
      const added = await Promise.all(given.map((factor) => records.addFactors(accountId, id, [factor], now)))
      for (const [index, factor] of given.entries()) t.match(added[index]?.factors, [], factor.method)
      const byMethod = (list: readonly { method: string; at: number }[] = []) =>
        [...list].sort((one, other) => one.at - other.at)
      t.same(byMethod((await records.find(accountId, id, now))?.factors), given)
      t.match((await records.find(accountId, id, now))?.claims, { team: 'blue' })
      const rotated = await records.rotate(accountId, id, rotation)
      t.same(rotated.outcome === 'rotated' && byMethod(rotated.signIn.factors), given)
      await store.endSignIn(accountId, id, absoluteExpiresAt)
      t.equal(await records.addFactors(accountId, id, [TOTP], now), null, 'an ended one stays ended')
      t.same(await store.listSignIns(accountId, now), [])
    },
  )

  t.test(`${name}: no factor is added to a record that is not genuine, or of 0.1`, async (t) => {
    const store = await open(t)
    t.teardown(() => store.close())
    const records = new SealedRecords(store, KEYS)
    const old = { ...unread, id: 'AAAAAAAAAAAAAAAAAAAAAA', claims: null }
    await store.addSignIn(old)
    t.equal(await records.addFactors(accountId, old.id, [TOTP], now), null, 'of 0.1')
    const lost = { ...record, id: newSignInId() }
    await new SealedRecords(store, keysOf(NEXT)).add(lost)
    t.equal(await records.addFactors(accountId, lost.id, [TOTP], now), null, 'under a secret that has left')
    t.equal(await records.addFactors(accountId, newSignInId(), [TOTP], now), null, 'of nobody')
    const strong = await records.list(accountId, now)
    t.notMatch(JSON.stringify(strong), 'totp')
    await store.endSignIns(accountId, null, now)
  })
}

t.test('factors that are written into Redis are nobody’s', async (t) => {
  const records = new SealedRecords(new RedisStore(redis), KEYS)
  const own = { ...record, id: newSignInId(), accountId: 'owner' }
  const other = { ...own, id: newSignInId() }
  await records.add(own)
  await records.add({ ...other, factors: [TOTP] })
  const key = 'fid:si:{owner}'
  const before = (await redis.hget(key, own.id)) ?? ''
  const seals = (await new RedisStore(redis).listSignIns('owner', now)).map(({ seal }) => String(seal))
  t.equal(seals.length, 2)
  const [strong = ''] = seals.filter((seal) => seal.startsWith('f'))
  const [weak = ''] = seals.filter((seal) => !seal.startsWith('f'))
  await redis.hset(key, own.id, before.replace(weak, strong))
  t.equal(await records.find('owner', own.id, now), null)
  t.equal((await records.rotate('owner', own.id, rotation)).outcome, 'gone')
  t.equal(await records.addFactors('owner', own.id, [TOTP], now), null)
})

t.test('a store that cannot replace a seal adds no factor, and says so', async (t) => {
  const store = createMemoryStore()
  const records = new SealedRecords(store, KEYS)
  await records.add(record)
  Reflect.set(store, 'resealSignIn', undefined)
  await t.rejects(records.addFactors(accountId, id, [TOTP], now), { code: 'STORE_UNAVAILABLE' })
  // One that takes the call and does nothing, as a metered store does.
  Reflect.set(store, 'resealSignIn', async () => {})
  await t.rejects(records.addFactors(accountId, id, [TOTP], now), { code: 'STORE_UNAVAILABLE' })
})

t.test('a store that cannot bind binds nothing', async (t) => {
  const store = createMemoryStore()
  await store.addSignIn(record)
  Reflect.set(store, 'settleBinding', undefined)
  t.equal(await new SealedRecords(store, KEYS).settle(accountId, id, 'one', now), null)
})
