import { inspect } from 'node:util'
import t from 'tap'
import { closeRedis, firstAttempt, openRedis } from '../../../../../plugins/lib/stores/redis/client.js'
import { RedisStore } from '../../../../../plugins/lib/stores/redis/store.js'
import { readRedisUrl } from '../../../../../plugins/lib/stores/redis/topology.js'
import { startRedis } from '../../../../helpers/redis-server.js'

t.test('a URL says where it leads', async (t) => {
  t.strictSame(readRedisUrl('redis://h/2'), { kind: 'server', url: 'redis://h/2' })
  t.strictSame(readRedisUrl('redis+sentinel://u:p%40s:s@one:1,[::1]/my-main/3'), {
    kind: 'sentinel',
    nodes: [
      { host: 'one', port: 1 },
      { host: '::1', port: 26_379 },
    ],
    access: { username: 'u', password: 'p@s:s' },
    sentinelAccess: {},
    name: 'my-main',
    db: 3,
  })
  t.match(readRedisUrl('redis+sentinel://h/main'), { db: 0, access: {}, sentinelAccess: {} })
  t.match(readRedisUrl('rediss+sentinel://:p@h/main/?sentinel_password=a+b%26%3Dc'), {
    access: { tls: {}, password: 'p' },
    sentinelAccess: { password: 'a+b&=c' },
  })
  t.match(readRedisUrl('redis+sentinel://h/main/3?sentinel_password=p&sentinel_username=u'), {
    db: 3,
    access: {},
    sentinelAccess: { username: 'u', password: 'p' },
  })
  t.strictSame(readRedisUrl('rediss+cluster://:p@one,two:7/'), {
    kind: 'cluster',
    nodes: [
      { host: 'one', port: 6379 },
      { host: 'two', port: 7 },
    ],
    access: { tls: {}, password: 'p' },
  })
})

t.test('what leads nowhere is refused', async (t) => {
  for (const url of [
    'h:1',
    'http://h',
    'redis://',
    'redis+sentinel://h',
    'redis+sentinel://h/',
    'redis+sentinel:///main',
    'redis+cluster://',
    'redis+cluster://h/main',
    'redis+cluster://h:0',
    'redis+cluster://h:x,i',
    'redis+cluster://h,,i',
    'redis+cluster://h,i?tls=true',
    'redis+cluster://h,i?sentinel_password=p',
    'redis+sentinel://h/main?',
    'redis+sentinel://h/main?sentinel_password=',
    'redis+sentinel://h/main?sentinel_password=p&',
    'redis+sentinel://h/main?sentinel_password=p&sentinel_password=q',
    'redis+sentinel://h/main?sentinel_username=u',
    'redis+sentinel://h/main?sentinel_password=%zz',
    'redis+sentinel://h/main?password=p',
    'redis+sentinel://h?sentinel_password=p',
    'redis+cluster://u:%zz@h',
    'redis+other://h',
  ]) {
    t.equal(readRedisUrl(url), null, url)
  }
})

t.test('an answer that came while the event loop stood still is not late', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const client = openRedis(server.url, { commandTimeout: 100 })
  await firstAttempt(client, 2000)
  const options = { commandTimeout: 100, onClose: () => closeRedis(client) }
  const store = new RedisStore(client, options)
  t.teardown(() => store.close())
  const generation = await store.generation()
  for (let i = 0; i < 3; i++) {
    const answer = store.isLive({ accountId: 'a', signInId: 's', epoch: 1, generation })
    const still = new Int32Array(new SharedArrayBuffer(4))
    Atomics.wait(still, 0, 0, 150)
    t.equal(await answer, true)
  }
})

t.test('servers and sentinels may want a user and a password, each another one', async (t) => {
  const servers = ['--requirepass', 'of-servers']
  const server = await startRedis({ tcp: true, args: servers })
  t.teardown(() => server.stop())
  const sentinel = await startRedis({
    sentinel: [
      'requirepass of-sentinels',
      'user asking on >of-asking ~* &* +@all',
      `sentinel monitor main 127.0.0.1 ${server.port} 1`,
      'sentinel auth-pass main of-servers',
    ].join('\n'),
  })
  t.teardown(() => sentinel.stop())
  const openAt = async (access: string, query: string) => {
    const errors: unknown[] = []
    const url = `redis+sentinel://${access}127.0.0.1:${sentinel.port}/main${query}`
    const client = openRedis(url, { onError: (error) => errors.push(error) })
    await firstAttempt(client, 5000)
    const store = new RedisStore(client, { onClose: () => closeRedis(client) })
    t.teardown(() => store.close())
    return { store, errors }
  }
  for (const login of ['of-sentinels', 'of-asking&sentinel_username=asking']) {
    const { store } = await openAt(':of-servers@', `?sentinel_password=${login}`)
    t.ok(await store.generation(), login)
  }
  for (const [access, query] of [
    [':of-servers@', ''],
    [':of-servers@', '?sentinel_password=of-servers'],
    [':of-sentinels@', '?sentinel_password=of-sentinels'],
    ['', '?sentinel_password=of-sentinels'],
  ] as const) {
    const { store, errors } = await openAt(access, query)
    await t.rejects(async () => store.generation(), { code: 'STORE_UNAVAILABLE' }, access + query)
    t.notMatch(inspect(errors, { depth: 10, showHidden: true }), /of-(servers|sentinels)/)
  }
})
