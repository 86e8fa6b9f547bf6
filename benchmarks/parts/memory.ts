import { statSync } from 'node:fs'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { atOnce } from '../lib/at-once.js'
import { MODES, type Mode, suite } from '../lib/contender.js'
import { type Client, signIn } from '../lib/credentials.js'
import { generateLoad } from '../lib/load.js'
import type { Part } from '../lib/part.js'
import { usernameOf } from '../lib/profile.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal } from '../lib/report.js'
import { Server } from '../lib/server.js'
import type { Setting } from '../lib/setting.js'
import { newDataDir } from '../lib/work-directory.js'

const FOR_EACH_ACCOUNT = 5
const REDIS_LIMIT = 400

const text = `
Bytes for each sign-in, measured by real sign-ins over HTTP with the address and user agent of a browser, five for each
account. Redis: the growth of its memory, with index and allocator. SQLite: the growth of the file. Process: the growth
of the heap after a garbage collection, when every credential has been used once.
`.trim()

interface Size {
  readonly mode: Mode
  readonly redis: number
  readonly sqlite: number
  readonly heap: number
}

/** Five sign-ins for each account. */
function signInMany(server: Server, count: number): Promise<Client[]> {
  return atOnce(16, count, (index) => signIn(server, usernameOf(Math.floor(index / FOR_EACH_ACCOUNT))))
}

/** Uses every credential once. */
function use(server: Server, clients: readonly Client[]) {
  const headers = clients.map((client) => client.headers)
  return generateLoad(`${server.origin}/user_info`, headers, 3)
}

async function inRedis(mode: Mode, count: number, store: Store) {
  await store.client.flushall()
  const server = await Server.start(suite(mode, 'Redis'), { env: { REDIS_URL: store.url } })
  // Scripts and tables are created once. They do not count for a sign-in.
  const first = await signInMany(server, FOR_EACH_ACCOUNT)
  await use(server, first)
  const [before, heapBefore] = [await store.memory(), await server.heap()]
  const clients = await signInMany(server, count)
  const redis = ((await store.memory()) - before) / count
  await use(server, clients)
  const heap = ((await server.heap()) - heapBefore) / count
  await server.stop()
  return { redis, heap }
}

/** The size of the file after a checkpoint of its log. */
async function bytesAtRest(dataDir: string): Promise<number> {
  const database = await openDatabase(databaseFile(dataDir))
  await database.close()
  return statSync(databaseFile(dataDir)).size
}

async function inSqlite(mode: Mode, count: number): Promise<number> {
  const dataDir = newDataDir()
  const add = async (some: number) => {
    const server = await Server.start(suite(mode, 'SQLite'), { env: { DATA_DIR: dataDir } })
    await signInMany(server, some)
    await server.stop()
    return bytesAtRest(dataDir)
  }
  const before = await add(FOR_EACH_ACCOUNT)
  return ((await add(count)) - before) / count
}

async function sizeOf(mode: Mode, setting: Setting, store: Store): Promise<Size> {
  const count = setting.hot
  return { mode, ...(await inRedis(mode, count, store)), sqlite: await inSqlite(mode, count) }
}

export const memory: Part = {
  name: 'memory',
  async run(setting, tell) {
    const store = await openStore()
    const sizes: Size[] = []
    for (const mode of MODES) {
      const size = await sizeOf(mode, setting, store)
      tell(`memory: ${mode}: ${size.redis.toFixed(0)} bytes of Redis a sign-in`)
      sizes.push(size)
    }
    await store.stop()
    const rows = sizes.map(({ mode, redis, sqlite, heap }) => [
      mode,
      ...[redis, sqlite, heap].map((n) => n.toFixed(0)),
    ])
    const goals = sizes.map(({ mode, redis }) =>
      goal(`${mode}: bytes of Redis a sign-in`, '≤', REDIS_LIMIT, redis, 0),
    )
    const columns = ['mode', 'Redis', 'SQLite', 'process']
    return [{ title: 'Memory of a sign-in', text, tables: [{ columns, rows }], goals }]
  },
}
