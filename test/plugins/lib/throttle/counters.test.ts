import { readFile } from 'node:fs/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../../../plugins/lib/database.js'
import { openRedis } from '../../../../plugins/lib/stores/redis-client.js'
import type { RedisClient } from '../../../../plugins/lib/stores/redis-scripts.js'
import type { Counters } from '../../../../plugins/lib/throttle/counters.js'
import { isRefusal, reserve } from '../../../../plugins/lib/throttle/limit.js'
import { MemoryCounters } from '../../../../plugins/lib/throttle/memory-counters.js'
import { openRedisCounters, openSqliteCounters } from '../../../../plugins/lib/throttle/open-counters.js'
import { ACCOUNT, counterContract } from '../../../counters-contract.js'
import { eventually } from '../../../helpers/near.js'
import { startRedis } from '../../../helpers/redis-server.js'
import { START, TestClock } from '../../../helpers/suite.js'
import { makeDataDir } from '../../../helpers/user-center.js'

const silent = { warn() {} }

async function redisCounters(t: Test, client: RedisClient): Promise<Counters> {
  t.teardown(() => client.disconnect())
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve))
  return (await openRedisCounters(client, 5000)).counters
}

const server = await startRedis()
t.teardown(() => server.stop())
const admin = new Redis(server.url)
t.teardown(() => admin.disconnect())

async function openOnRedis(t: Test) {
  await admin.flushall()
  const open = () => redisCounters(t, openRedis(server.url, { commandTimeout: 5000 }))
  return [await open(), await open()] as const
}

async function openOnSqlite(t: Test) {
  const opened = await openSqliteCounters(makeDataDir(t), silent)
  t.teardown(() => opened.close())
  return [opened.counters, opened.counters] as const
}

counterContract(t, 'memory', async () => {
  const counters = new MemoryCounters(new TestClock().read)
  return [counters, counters]
})
counterContract(t, 'sqlite', openOnSqlite)
counterContract(t, 'redis', openOnRedis)

t.test('redis: every key goes by itself, and what came to nothing is gone at once', async (t) => {
  const [counters] = await openOnRedis(t)
  for (let name = 0; name < 20; name++) {
    const attempt = await reserve(counters, ACCOUNT, `{${name}}`, START)
    if (!isRefusal(attempt)) await attempt.giveBack()
  }
  t.strictSame(await admin.keys('*'), [], 'attempts that were none leave nothing')
  const failed = await reserve(counters, ACCOUNT, '{a}', START)
  if (!isRefusal(failed)) await failed.fail(START)
  const keys = await admin.keys('*')
  t.strictSame(keys.sort(), ['fid:th:{a}', 'fid:th:{a}:1'])
  const lives = async () => Promise.all((await admin.keys('*')).map((key) => admin.ttl(key)))
  const begun = await lives()
  t.ok(
    begun.every((life) => life > 900 && life <= 1020),
    `a name that was tried once is not kept for hours: ${begun}`,
  )
  for (let times = 0; times < 9; times++) {
    const attempt = await reserve(counters, ACCOUNT, '{a}', START)
    if (!isRefusal(attempt)) await attempt.fail(START)
  }
  const life = await admin.ttl('fid:th:{a}')
  t.ok(life > 60 + 9000 && life < 12_000, `delays are, until they are forgotten: ${life}`)
})

t.test('redis: the rights that docs/scaling.md asks for are enough', async (t) => {
  const [, rights = ''] = /`(~fid:\* [^`]+)`/.exec(await readFile('docs/scaling.md', 'utf8')) ?? []
  await admin.acl('SETUSER', 'app', 'on', '>secret', ...rights.split(' '))
  const client = new Redis(server.url, { username: 'app', password: 'secret' })
  const counters = await redisCounters(t, client)
  for (let times = 0; times < 10; times++) {
    const attempt = await reserve(counters, ACCOUNT, '{rights}', START)
    if (isRefusal(attempt)) return t.fail('refused')
    await attempt.fail(START)
  }
  t.strictSame(await reserve(counters, ACCOUNT, '{rights}', START), { retryAfter: 60 })
})

t.test('redis: what is no number there, and silence, are faults', async (t) => {
  const [counters] = await openOnRedis(t)
  await admin.lpush('fid:th:{a}', 'x')
  await admin.set('fid:th:{b}', 'x')
  for (const name of ['{a}', '{b}']) await t.rejects(counters.read(name))
  await t.rejects(counters.add('{a}', 1, 60))
  const client = openRedis(server.url)
  t.teardown(() => client.disconnect())
  await new Promise((resolve) => client.once('ready', resolve))
  const { counters: hasty } = await openRedisCounters(client, 50)
  server.pause()
  t.teardown(() => server.resume())
  await t.rejects(hasty.read('{c}'), /did not answer within 50 ms/)
  server.resume()
})

t.test('sqlite: what has passed is swept, and the connection syncs as before', async (t) => {
  const dataDir = makeDataDir(t)
  const database = await openDatabase(databaseFile(dataDir))
  t.teardown(() => database.close())
  const { connection } = database
  const opened = await openSqliteCounters(dataDir, silent, 20)
  t.teardown(() => opened.close())
  await opened.counters.add('kept', 1, 3600)
  await opened.counters.add('nothing', 1, 3600)
  await opened.counters.add('nothing', -1, 3600)
  const insert = connection.prepare('INSERT INTO throttle_counters VALUES (?, 1, ?)')
  connection.transaction(() => {
    for (let row = 0; row < 1100; row++) insert.run(`passed ${row}`, Date.now() - 1)
  })()
  const count = () => connection.prepare('SELECT key FROM throttle_counters').all().length
  await eventually(() => count() === 1)
  t.equal(await opened.counters.read('kept'), 1)
  t.match(connection.pragma('synchronous'), [{ synchronous: 2 }])
})

t.test('memory: a flood of names is bounded, and what is counted on outlives what is not', async (t) => {
  const clock = new TestClock()
  const counters = new MemoryCounters(clock.read, 1000)
  for (let name = 0; name < 5000; name++) {
    const attempt = await reserve(counters, ACCOUNT, `{${name}}`, clock.now)
    if (!isRefusal(attempt)) await attempt.giveBack()
  }
  t.equal(counters.size, 0, 'attempts that were none take no room')
  for (let name = 0; name < 5000; name++) await counters.add(`{${name}}`, 1, 60)
  t.equal(counters.size, 1000)
  t.equal(await counters.read('{4999}'), 1)
  clock.advance(60)
  t.equal(await counters.read('{4999}'), 0, 'past its time')
  for (let name = 0; name < 600; name++) await counters.add(`new ${name}`, 1, 60)
  t.equal(counters.size, 600, 'what has passed goes first')
})
