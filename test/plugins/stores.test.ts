import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import fastifyRedis from '@fastify/redis'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { databaseFile, lockDataDir, openDatabase } from '../../plugins/lib/database/embedded.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import stores, { type StoresOptions } from '../../plugins/stores.js'
import { ownTime } from '../helpers/own-time.js'
import { startRedis } from '../helpers/redis-server.js'

// Loads the drivers before any application's start is timed.
await (await openDatabase(':memory:')).close()

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }

function appFor(t: Test, options: StoresOptions, lines: string[] = []) {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const app = Fastify({ logger: { stream, level: 'info' } })
  app.register(stores, options)
  t.teardown(() => app.close())
  return app
}

function newDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'stores-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function redisFor(t: Test) {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  return server
}

async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error('It did not come to that.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

t.test('memory is chosen by name', async (t) => {
  const app = await appFor(t, { memory: true })
  t.equal(app.stateStore.kind, 'memory')
})

t.test('a directory keeps its state over a restart, and serves one application at a time', async (t) => {
  const dataDir = newDirectory(t)
  const app = await appFor(t, { dataDir })
  t.equal(app.stateStore.kind, 'sqlite')
  const generation = await app.stateStore.generation()
  await t.rejects(async () => await appFor(t, { dataDir }), { code: 'CONFIG_INVALID', message: dataDir })
  t.equal(await app.stateStore.generation(), generation)
  await app.close()
  t.throws(() => app.stateStore.generation(), UNAVAILABLE)
  const again = await appFor(t, { dataDir })
  t.equal(await again.stateStore.generation(), generation)
})

t.test('a directory whose database is damaged is refused, and given back', async (t) => {
  const dataDir = newDirectory(t)
  writeFileSync(databaseFile(dataDir), 'this is no database, and long enough to be looked at'.repeat(100), {
    mode: 0o600,
  })
  await t.rejects(async () => await appFor(t, { dataDir }), { code: 'CONFIG_INVALID', message: /is damaged/ })
  const lock = await lockDataDir(dataDir)
  lock.release()
})

t.test('a Redis of our own is shared as app.redis.identity, and closed with the application', async (t) => {
  const server = await redisFor(t)
  const app = await appFor(t, { redisUrl: server.url })
  t.equal(app.stateStore.kind, 'redis')
  await app.stateStore.ping()
  t.ok(app.redis.identity instanceof Redis)
  t.equal(await app.redis.identity?.ping(), 'PONG')
  await app.close()
  await t.rejects(app.stateStore.ping(), UNAVAILABLE)
})

t.test('an application’s own use of @fastify/redis is beside ours, before and after', async (t) => {
  const server = await redisFor(t)
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastifyRedis, { url: server.url })
  app.register(stores, { redisUrl: server.url })
  app.register(fastifyRedis, { url: server.url, namespace: 'carts' })
  await app.ready()
  t.equal(await app.redis.ping(), 'PONG')
  t.equal(await app.redis.carts?.ping(), 'PONG')
  await app.stateStore.ping()
})

t.test('a namespace that is taken stops the start, and leaves no connection behind', async (t) => {
  const server = await redisFor(t)
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastifyRedis, { url: server.url, namespace: 'identity' })
  app.register(stores, { redisUrl: server.url })
  await t.rejects(async () => await app.ready(), /already been registered/)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await eventually(
    async () =>
      String(await admin.client('LIST'))
        .trim()
        .split('\n').length === 2,
  )
})

t.test('Redis down at the start: the application starts, answers 503, and recovers by itself', async (t) => {
  const server = await redisFor(t)
  await server.kill()
  const lines: string[] = []
  const app = appFor(t, { redisUrl: server.url }, lines)
  app.get('/protected', async (request) => {
    await request.server.stateStore.ping()
    return 'ok'
  })
  app.get('/public', async () => 'ok')
  const start = ownTime()
  await app.ready()
  t.ok(ownTime() - start < 3000)
  t.equal((await app.inject('/public')).statusCode, 200)
  const refused = await app.inject('/protected')
  t.equal(refused.statusCode, 503)
  t.equal(refused.json().code, 'STORE_UNAVAILABLE')
  t.notMatch(refused.body, /ECONN|127\.0\.0\.1|Redis/)
  await server.start()
  await eventually(async () => (await app.inject('/protected')).statusCode === 200)
  const about = lines.filter((line) => /Redis (does not answer|answers again)/.test(line))
  t.equal(about.length, 2, 'one line when it went, one when it came back')
})

t.test('an application closes beside a frozen Redis', async (t) => {
  const server = await redisFor(t)
  const app = await appFor(t, { redisUrl: server.url, commandTimeout: 200 })
  server.pause()
  t.teardown(() => server.resume())
  await t.rejects(app.stateStore.ping(), UNAVAILABLE)
  const start = ownTime()
  await app.close()
  t.ok(ownTime() - start < 1500)
})

t.test('a client that the application has is used, and left open', async (t) => {
  const server = await redisFor(t)
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  const app = await appFor(t, { redis, commandTimeout: 500 })
  await app.stateStore.ping()
  await app.close()
  t.equal(await redis.ping(), 'PONG')
})

t.test('a store that the application has is used, and left open', async (t) => {
  let closed = 0
  const store = Object.assign(createMemoryStore(), { close: async () => void closed++ })
  const app = await appFor(t, { store })
  t.equal(app.stateStore, store)
  await app.close()
  t.equal(closed, 0)
})

t.test('any other choice is refused at boot, naming the option', async (t) => {
  const refused: [unknown, string][] = [
    [{}, 'stores'],
    [{ clock: Date.now }, 'stores'],
    [{ memory: true, dataDir: '/tmp/x' }, 'stores'],
    [{ redisUrl: 'redis://h', redis: undefined, store: createMemoryStore() }, 'stores'],
    [{ memory: false }, 'memory'],
    [{ memory: 'yes' }, 'memory'],
    [{ dataDir: '' }, 'dataDir'],
    [{ dataDir: 5 }, 'dataDir'],
    [{ redisUrl: new URL('redis://h') }, 'redisUrl'],
    [{ redisUrl: 'h:6379' }, 'redisUrl'],
    [{ redis: 'redis://h' }, 'redis'],
    [{ redis: null }, 'redis'],
    [{ redis: { evalsha: () => 0, options: { scaleReads: 'slave' } } }, 'redis'],
    [{ store: {} }, 'store'],
    [{ memory: true, commandTimeout: 5 }, 'commandTimeout'],
    [{ dataDir: '/tmp/x', dataDri: '/tmp/y' }, 'dataDri'],
    [{ store: createMemoryStore(), clock: Date.now }, 'clock'],
    [{ memory: true, clock: 5 }, 'clock'],
    ...[0, -1, 1.5, Number.NaN, 60_001, '5'].map((commandTimeout): [unknown, string] => [
      { redisUrl: 'redis://h', commandTimeout },
      'commandTimeout',
    ]),
  ]
  for (const [options, name] of refused) {
    const app = Fastify()
    // @ts-expect-error: what a caller without types may write
    app.register(stores, options)
    const expected = { code: 'OPTION_INVALID', message: `The option ${name} ` }
    await t.rejects(async () => await app.ready(), expected, `${name}: ${JSON.stringify(options)}`)
    t.notOk(app.hasDecorator('stateStore'))
    await app.close()
  }
})
