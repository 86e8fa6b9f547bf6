import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { hashOf, KeyFormat } from '../../plugins/lib/api-key/format.js'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { type CredentialCenter, headersOf, secretPart } from '../helpers/credential-kinds.js'
import { eventually } from '../helpers/followed.js'
import { ADMIN, type Mode, USER } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import type { Cell, Row } from './row.js'

/** All bytes of the database and of the embedded file, with what SQLite has not yet merged. */
function filesOf({ dataDir }: CredentialCenter): string {
  return readdirSync(dataDir, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => readFileSync(join(dataDir, name), 'latin1'))
    .join('\n')
}

export const databaseReader: Row = {
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    await center.accepts(t, held)
    const content = filesOf(center)
    t.ok(content.includes(held.signInId || USER.username), 'the right files were read')
    for (const text of [held.text, secretPart(held)]) t.notOk(content.includes(text), 'the credential')
    for (const { password } of [USER, ADMIN]) t.notOk(content.includes(password), 'a password')
  },
}

/** What SECURITY.md admits: nothing holds. The writer's own password opens the account. */
const byLogin =
  (mode: Mode, more: object = {}): Cell =>
  async (t, center, kind) => {
    const { kysely, close } = await openDatabase(databaseFile(center.dataDir))
    const hashes = kysely.selectFrom('accounts').select('password_hash')
    const set = (hash: string) =>
      kysely
        .updateTable('accounts')
        .set({ password_hash: hash })
        .where('username', '=', USER.username)
        .execute()
    const { password_hash: before } = await hashes
      .where('username', '=', USER.username)
      .executeTakeFirstOrThrow()
    const { password_hash: own } = await hashes
      .where('username', '=', ADMIN.username)
      .executeTakeFirstOrThrow()
    await set(own)
    const answer = await center.login(mode, {}, { ...USER, password: ADMIN.password, ...more })
    await set(before)
    await close()
    t.equal(answer.statusCode, 200, `they get a ${kind} of anybody`)
  }

export const databaseWriter: Row = {
  every: (t, center, kind) =>
    byLogin(kind === 'session' || kind === 'token' ? kind : 'cookie')(t, center, kind),
  instead: {
    refresh: byLogin('token', { refresh_cookie: true }),
    async 'API key'(t, center) {
      const { id, key } = new KeyFormat('fik').make()
      const genuine = await center.obtain('API key')
      const { kysely, close } = await openDatabase(databaseFile(center.dataDir))
      const row = await kysely
        .selectFrom('api_keys')
        .selectAll()
        .where('id', '=', genuine.signInId)
        .executeTakeFirstOrThrow()
      const hash = hashOf(key).toString('base64url')
      await kysely
        .insertInto('api_keys')
        .values({ ...row, id, hash })
        .execute()
      await close()
      await center.accepts(t, { kind: 'API key', text: key }, 'they get a key of anybody')
    },
  },
}

/** A Redis for the state of the user center, and its address in the environment. */
async function ofRedis(t: Test): Promise<Record<string, string>> {
  const { url, port, stop } = await startRedis({ tcp: true })
  t.teardown(stop)
  return { REDIS_URL: port ? `redis://127.0.0.1:${port}` : url }
}

/** Runs with a connection of the attacker's own. */
async function withRedis<T>({ app }: CredentialCenter, work: (redis: Redis) => Promise<T>): Promise<T> {
  const backing = app.stateBacking
  if (backing.kind !== 'redis') throw new Error('the state is in Redis')
  const { host, port } = Object(backing.client.options)
  const redis = new Redis(Number(port), String(host))
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key)
  if (type === 'string') return redis.get(key)
  if (type === 'hash') return redis.hgetall(key)
  if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES')
  if (type === 'set') return redis.smembers(key)
  if (type === 'stream') return redis.xrange(key, '-', '+')
  throw new Error(`${key} is a ${type}`)
}

async function everythingIn(redis: Redis): Promise<string> {
  const keys = await redis.keys('*')
  const contents = await Promise.all(keys.map(async (key) => [key, await contentOf(redis, key)]))
  return JSON.stringify(contents)
}

export const redisReader: Row = {
  env: ofRedis,
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    await center.accepts(t, held)
    const content = await withRedis(center, everythingIn)
    const account = await center.app.accounts.findByUsername(USER.username)
    t.ok(content.includes(String(account?.id)), 'the right Redis was read')
    for (const text of [held.text, secretPart(held)]) t.notOk(content.includes(text), 'the credential')
    t.notOk(content.includes(USER.password), 'a password')
  },
}

async function emptied(center: CredentialCenter): Promise<void> {
  await withRedis(center, (redis) => redis.flushall())
}

export const redisWriter: Row = {
  env: ofRedis,
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    await center.accepts(t, held)
    await emptied(center)
    await eventually(() => center.isEnded(held))
    await center.refusesEnded(t, held)
  },
  instead: {
    async 'API key'(t, center) {
      const [live, dead] = [await center.obtain('API key'), await center.obtain('API key')]
      await center.endBy(await center.owner(), dead)
      const witness = await center.obtain('cookie')
      await emptied(center)
      await eventually(() => center.isEnded(witness))
      await center.accepts(t, live, 'the database knows it')
      await center.refusesEnded(t, dead)
    },
    async 'device cookie'(t, center) {
      const held = await center.obtain('device cookie')
      await emptied(center)
      const { headers } = held
      for (const mode of ['cookie', 'session', 'token'] as const)
        await center.refusesInvented(t, mode, held.text, 'it grants no sign-in')
      const answer = await center.send({
        url: '/user_info',
        headers: { ...headers, ...headersOf('cookie', 'x') },
      })
      t.equal(answer.statusCode, 403)
      await eventually(async () => (await center.use('device cookie', held.text)).statusCode === 200)
    },
  },
}
