import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { EvictionRisk } from '../../../../../plugins/lib/stores/options.js'
import stores from '../../../../../plugins/stores.js'
import { eventually } from '../../../../helpers/followed.js'
import { startRedis } from '../../../../helpers/redis-server.js'

async function serve(t: Test, policy: string, maxmemory = '64mb') {
  const server = await startRedis({
    tcp: true,
    args: ['--maxmemory', maxmemory, '--maxmemory-policy', policy],
  })
  t.teardown(() => server.stop())
  return server
}

async function start(t: Test, redisUrl: string, risk?: EvictionRisk) {
  const lines: string[] = []
  const app = Fastify({
    logger: { level: 'info', stream: { write: (line: string) => void lines.push(line) } },
  })
  t.teardown(() => app.close())
  app.register(stores, { redisUrl, ...(risk ? { evictionRisk: risk } : {}) })
  const failure = await app.ready().then(
    () => null,
    (error: unknown) => error,
  )
  return { app, lines, failure }
}

const isWarned = (lines: readonly string[]) => lines.some((line) => /The maxmemory-policy of/.test(line))

t.test('a Redis that may evict the revocation list is refused, unless it is said that it may', async (t) => {
  for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
    const server = await serve(t, policy)
    const { failure, lines } = await start(t, server.url)
    t.match(failure, {
      code: 'CONFIG_INVALID',
      message: `The maxmemory-policy of the Redis at REDIS_URL is ${policy}`,
    })
    t.notOk(isWarned(lines))
    const admin = new Redis(server.url)
    await eventually(
      async () =>
        String(await admin.client('LIST'))
          .trim()
          .split('\n').length === 1,
    )
    admin.disconnect()
    const warned = await start(t, server.url, 'warn')
    t.equal(warned.failure, null)
    t.ok(isWarned(warned.lines))
  }
})

t.test(
  'a policy that leaves keys without a TTL alone is fine, and so is memory without a limit',
  async (t) => {
    for (const [policy, maxmemory] of [
      ['noeviction', '64mb'],
      ['volatile-lru', '64mb'],
      ['volatile-ttl', '64mb'],
      ['allkeys-lru', '0'],
    ] as const) {
      const server = await serve(t, policy, maxmemory)
      const { failure, lines } = await start(t, server.url)
      t.equal(failure, null)
      t.notOk(isWarned(lines), policy)
    }
  },
)

t.test('where it may not be asked, that is said', async (t) => {
  const server = await serve(t, 'allkeys-lru')
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info')
  // The driver says on the console that it may not ask.
  const warned = t.capture(console, 'warn', () => {})
  const { failure, lines } = await start(t, server.url.replace('redis://', 'redis://app:secret@'))
  t.equal(failure, null)
  t.ok(lines.some((line) => /could not be read/.test(line)))
  for (const { args } of warned()) t.match(args, [/^Skipping the ready check because INFO/])
})

t.test('a Redis that comes after the start is looked at then, and warned about', async (t) => {
  const server = await serve(t, 'allkeys-lru')
  await server.kill()
  const { failure, lines } = await start(t, server.url)
  t.equal(failure, null)
  await server.start()
  await eventually(() => isWarned(lines))
})

t.test('sessions are evicted under volatile-lru, revocations are not', async (t) => {
  const server = await serve(t, 'volatile-lru', '4mb')
  const { app } = await start(t, server.url)
  const generation = await app.stateStore.generation()
  await app.stateStore.endSignIn('a', 'ended', 2 ** 50)
  const sealed = 'x'.repeat(10_000)
  const record = { version: 1, sealed, idleExpiresAt: 2 ** 42, absoluteExpiresAt: 2 ** 42 }
  for (let index = 0; index < 800; index++) await app.stateStore.createSession(`k${index}`, record)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  t.ok(Number(/evicted_keys:(\d+)/.exec(await admin.info('stats'))?.[1]) > 0)
  t.type(await admin.zscore('fid:{rev}', 's:ended'), 'string')
  t.equal(await app.stateStore.generation(), generation)
})

t.test('evictionRisk is checked', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  // @ts-expect-error: what a caller without types may write
  app.register(stores, { redisUrl: 'redis://h', evictionRisk: 'ignore' })
  await t.rejects(async () => await app.ready(), { code: 'OPTION_INVALID', message: /evictionRisk/ })
})
