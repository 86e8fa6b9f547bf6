import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { closeRedis, firstAttempt, openRedis } from '../../../../../plugins/lib/stores/redis/client.js'
import { RedisStore } from '../../../../../plugins/lib/stores/redis/store.js'
import { SPENT_MARGIN } from '../../../../../plugins/lib/stores/rules.js'
import { startRedis } from '../../../../helpers/redis-server.js'
import { sessionRecord, signInRecord, storeContract } from '../../../../store-contract.js'

const server = await startRedis()
t.teardown(() => server.stop())

let stores = 0

async function openStore(t: Test, prefix: string, url = server.url) {
  const client = openRedis(url)
  await firstAttempt(client, 2000)
  // The contract's times are far from the machine's own.
  const referenceClock = () => 2 ** 51
  const store = new RedisStore(client, { prefix, referenceClock, onClose: () => closeRedis(client) })
  t.teardown(() => store.close())
  return { store, client }
}

storeContract(t, 'redis', async (t) => {
  const prefix = `t${++stores}:`
  const { store } = await openStore(t, prefix)
  const { store: twin } = await openStore(t, prefix)
  return { store, twin }
})

const NOW = signInRecord().createdAt
const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'

t.test('whether a sign-in is live costs one command', async (t) => {
  const { store, client } = await openStore(t, 'one:')
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: await store.generation() }
  await store.raiseEpoch('a', 2, 's', NOW + 1)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.ping()
  await client.config('RESETSTAT')
  for (let i = 0; i < 10; i++) t.equal(await store.isLive(ref), true)
  const calls = (await admin.info('commandstats')).match(/cmdstat_[^:]+:calls=\d+/g)
  t.strictSame(
    calls?.filter((line) => !/config|info/.test(line)),
    ['cmdstat_zmscore:calls=10'],
  )
})

t.test('a sign-in with address and user agent costs at most 400 bytes', async (t) => {
  const { store, client } = await openStore(t, 'fid:')
  const accountId = 'Zx3vQ0p9T1mWb6Yc8KdLrA'
  for (let i = 0; i < 5; i++) {
    const id = `Hs81kQm2ZpXvT0cYw9Le${i}A`
    const own = { accountId, id, generation: 2 ** 47 + i, userAgent: CHROME, ip: '203.0.113.207', epoch: 3 }
    const refresh = { counter: 120, keyId: 'a1B2c3D4', rotatedAt: NOW }
    const sessionKey = 'Zb1fQ0p9T1mWb6Yc8KdLrAHs81kQm2ZpXvT0cYw9Le4'
    await store.addSignIn(signInRecord(i % 2 ? { ...own, refresh } : { ...own, sessionKey }))
  }
  const bytes = Number(await client.memory('USAGE', `fid:si:{${accountId}}`, 'SAMPLES', 0)) / 5
  t.comment(`${bytes} bytes for a sign-in`)
  t.ok(bytes <= 400, `${bytes} bytes`)
})

t.test(
  'Redis collects sessions and sign-ins after their limits, and never the revocation list',
  async (t) => {
    const { store, client } = await openStore(t, 'ttl:')
    const start = Date.now()
    const limits = { idleExpiresAt: start + 60_000, absoluteExpiresAt: start + 120_000 }
    /** Seconds from the start, less the hour that is added. */
    const ttl = async (key: string) => ((await client.pexpiretime(`ttl:${key}`)) - 3_600_000 - start) / 1000
    await store.createSession('k', sessionRecord(limits))
    t.ok(Math.abs((await ttl('se:k')) - 60) <= 1)
    await store.touchSession('k', start + 90_000)
    t.ok(Math.abs((await ttl('se:k')) - 90) <= 1)
    await store.replaceSession('k', sessionRecord({ ...limits, version: 2 }))
    t.ok(Math.abs((await ttl('se:k')) - 60) <= 1)
    await store.addSignIn(signInRecord({ createdAt: start, ...limits }))
    t.ok(Math.abs((await ttl('si:{account-1}')) - 120) <= 1)
    await store.addSignIn(signInRecord({ id: 'x', createdAt: start, absoluteExpiresAt: start + 30_000 }))
    t.ok(Math.abs((await ttl('si:{account-1}')) - 120) <= 1, 'a shorter one does not shorten it')
    await store.generation()
    await store.endSignIn('account-1', 'x', start + 30_000)
    t.equal(await client.pttl('ttl:{rev}'), -1)
  },
)

t.test('what cannot be read is as good as absent', async (t) => {
  const { store, client } = await openStore(t, 'odd:')
  const whole = signInRecord({ refresh: { counter: 1, keyId: 'k', rotatedAt: NOW } })
  await store.addSignIn(whole)
  const text = (await client.hget('odd:si:{account-1}', 'sign-in-1')) ?? ''
  const [head = '', fixed = ''] = text.split('\n')
  const times = head.split(',').slice(0, 3).join(',')
  const broken = [
    '',
    'x',
    head,
    `${head}\n`,
    `${head}\n{`,
    `${head}\n[]`,
    `${head}\n${fixed.replace('"cookie"', '1')}`,
  ]
  for (const value of broken) {
    await client.hset('odd:si:{account-1}', 'sign-in-1', value)
    t.equal(await store.findSignIn('account-1', 'sign-in-1', NOW), null, value)
    t.strictSame(await store.listSignIns('account-1', NOW), [], value)
    t.strictSame(await store.endSignIns('account-1', null, NOW), [], value)
    const rotation = { presented: 1, keyId: 'k', now: NOW, grace: 0 }
    t.strictSame(await store.rotateRefresh('account-1', 'sign-in-1', rotation), { outcome: 'gone' }, value)
  }
  for (const refresh of ['1', '1,1', '1,1,"', '-']) {
    await client.hset('odd:si:{account-1}', 'sign-in-1', `${times},${refresh}\n${fixed}`)
    t.equal(await store.findSignIn('account-1', 'sign-in-1', NOW), null, refresh)
  }
  await client.hset('odd:si:{account-1}', 'sign-in-1', 'x')
  t.equal(await store.touchSignIn('account-1', 'sign-in-1', NOW, NOW), false)
  await store.addSignIn(signInRecord({ id: 'sign-in-2' }))
  t.equal(await client.hlen('odd:si:{account-1}'), 1, 'and dropped with what has passed')
  for (const value of ['', 'x', '1,1\n', '1,1,1']) {
    await client.set('odd:se:k', value)
    t.equal(await store.readSession('k', 0), null, value)
  }
})

t.test('a URL that cannot be used is refused without repeating it', async (t) => {
  for (const url of ['', 'localhost:6379', 'http://u:secret@h', '//u:secret@h', 'redis://u:%zz-secret@h']) {
    try {
      openRedis(url).disconnect()
      t.fail(url)
    } catch (error) {
      t.match(error, { code: 'OPTION_INVALID', message: /^The option redisUrl / }, url)
      t.notMatch(error, { message: /secret/ })
    }
  }
})

t.test('a spent key costs one command, and leaves Redis when no clock can need it', async (t) => {
  const { store, client } = await openStore(t, 'once:')
  const before = await client.info('commandstats')
  t.equal(await store.spendOnce('key', NOW + 240_000, NOW), true)
  const after = await client.info('commandstats')
  const setsOf = (info: string) => Number(/cmdstat_set:calls=(\d+)/.exec(info)?.[1] ?? 0)
  t.equal(setsOf(after) - setsOf(before), 1)
  const left = await client.pttl('once:on:key')
  t.ok(left > 240_000 && left <= 240_000 + SPENT_MARGIN, String(left))
  t.equal(await store.spendOnce('past', NOW, NOW + 1), true)
  t.equal(await store.spendOnce('past', NOW, NOW + 1), false, 'kept for the margin')
})
