import t from 'tap'
import { createRedisStore } from '../../../../plugins/lib/stores/redis.js'
import { closeRedis, firstAttempt, openRedis } from '../../../../plugins/lib/stores/redis-client.js'
import { readRedisUrl } from '../../../../plugins/lib/stores/redis-topology.js'
import { startRedis } from '../../../helpers/redis-server.js'

t.test('a URL says where it leads', async (t) => {
  t.strictSame(readRedisUrl('redis://h/2'), { kind: 'server', url: 'redis://h/2' })
  t.strictSame(readRedisUrl('redis+sentinel://u:p%40s:s@one:1,[::1]/my-main/3'), {
    kind: 'sentinel',
    nodes: [
      { host: 'one', port: 1 },
      { host: '::1', port: 26_379 },
    ],
    access: { username: 'u', password: 'p@s:s' },
    name: 'my-main',
    db: 3,
  })
  t.match(readRedisUrl('redis+sentinel://h/main'), { db: 0, access: {} })
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
  const store = createRedisStore(client, options)
  t.teardown(() => store.close())
  const generation = await store.generation()
  for (let i = 0; i < 3; i++) {
    const answer = store.isLive({ accountId: 'a', signInId: 's', epoch: 1, generation })
    const still = new Int32Array(new SharedArrayBuffer(4))
    Atomics.wait(still, 0, 0, 150)
    t.equal(await answer, true)
  }
})
