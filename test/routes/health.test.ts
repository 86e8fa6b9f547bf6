import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { ADMIN, post, refusedByCenter } from '../helpers/http.js'
import { modulePath, runProcess, until } from '../helpers/processes.js'
import { startRedis } from '../helpers/redis-server.js'
import { makeDataDir, startUserCenter, type UserCenter } from '../helpers/user-center.js'

const CHILD = modulePath('../helpers/full-disk-child', import.meta.url)

/** The answer to who asks a second later. */
async function readiness({ app, clock }: UserCenter) {
  clock.advance(1)
  return app.inject({ url: '/readyz' })
}

async function isReady(t: Test, center: UserCenter): Promise<void> {
  t.equal((await readiness(center)).statusCode, 200)
}

async function isNotReady(t: Test, center: UserCenter): Promise<void> {
  refusedByCenter(t, await readiness(center), 503, 'STORE_UNAVAILABLE')
  t.equal((await center.app.inject({ url: '/healthz' })).statusCode, 200, 'the process is up')
}

t.test('a data directory that was deleted or replaced is not ready, until it is back', async (t) => {
  const center = await startUserCenter(t)
  const { dataDir } = center
  const moved = `${dataDir}-moved`
  t.teardown(() => rmSync(moved, { recursive: true, force: true }))
  await isReady(t, center)
  renameSync(dataDir, moved)
  await isNotReady(t, center)
  mkdirSync(dataDir)
  await (await openDatabase(`${dataDir}/another.db`)).close()
  renameSync(`${dataDir}/another.db`, databaseFile(dataDir))
  await isNotReady(t, center)
  rmSync(dataDir, { recursive: true })
  renameSync(moved, dataDir)
  await isReady(t, center)
})

t.test('an embedded file that takes no writes any more is not ready', async (t) => {
  const center = await startUserCenter(t)
  const { connection, close } = await openDatabase(databaseFile(center.dataDir))
  t.teardown(close)
  // As on a file system that was mounted anew, to be read only.
  connection.pragma('query_only=ON')
  await isNotReady(t, center)
  refusedByCenter(t, await post(center.app, '/login_cookie', ADMIN), 503, 'STORE_UNAVAILABLE')
  connection.pragma('query_only=OFF')
  await isReady(t, center)
})

t.test('accounts in the embedded file are asked as well, where sign-ins are in Redis', async (t) => {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const center = await startUserCenter(t, { REDIS_URL: server.url })
  await isReady(t, center)
  const moved = `${center.dataDir}-moved`
  t.teardown(() => rmSync(moved, { recursive: true, force: true }))
  renameSync(center.dataDir, moved)
  await isNotReady(t, center)
  renameSync(moved, center.dataDir)
  await isReady(t, center)
})

t.test('a full disk is not ready, and the process lives', async (t) => {
  const dataDir = makeDataDir(t)
  await (await openDatabase(databaseFile(dataDir))).close()
  // 64 KiB a file: beyond that the log cannot grow, as on a disk that is full. What it has already stays.
  const child = runProcess(t, ['sh', '-c', 'ulimit -f 128; exec "$0" "$@"', process.execPath, CHILD, dataDir])
  await until(child, () => /ended/.test(child.output()))
  t.match(child.output(), /^ready 200\n(login 200\n)*login 503\nready 503\nended\n$/)
})

for (const [name, change] of Object.entries({
  'has become a replica': ['REPLICAOF', '127.0.0.1', '1'],
  'is out of memory': ['CONFIG', 'SET', 'maxmemory', '1'],
})) {
  t.test(`a Redis that ${name} answers a ping, and is not ready`, async (t) => {
    const server = await startRedis({ tcp: true })
    t.teardown(() => server.stop())
    const center = await startUserCenter(t, { REDIS_URL: server.url })
    await isReady(t, center)
    const client = new Redis(server.url)
    t.teardown(() => client.disconnect())
    await client.call(...(change as [string, ...string[]]))
    await isNotReady(t, center)
    t.equal(await client.ping(), 'PONG')
  })
}

t.test('those who ask share one probe, and its outcome for a second', async (t) => {
  const center = await startUserCenter(t)
  const { app, clock } = center
  const { ping } = app.stateStore
  let probes = 0
  app.stateStore.ping = function count() {
    probes += 1
    return ping.call(app.stateStore)
  }
  const ask = () => app.inject({ url: '/readyz' })
  const all = await Promise.all(Array.from({ length: 20 }, ask))
  t.ok(all.every(({ statusCode }) => statusCode === 200))
  clock.advance(0.9)
  await ask()
  t.equal(probes, 1)
  clock.advance(0.1)
  await ask()
  t.equal(probes, 2)
  clock.advance(-3600)
  await ask()
  t.equal(probes, 3, 'a clock that was set back freezes nothing')
})
