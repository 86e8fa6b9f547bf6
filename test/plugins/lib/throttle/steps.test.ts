import { readFile } from 'node:fs/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { openRedis } from '../../../../plugins/lib/stores/redis/client.js'
import type { RedisClient } from '../../../../plugins/lib/stores/redis/scripts.js'
import { findWait, isWait, type Reservation, reserve } from '../../../../plugins/lib/throttle/limit.js'
import { MemorySteps } from '../../../../plugins/lib/throttle/memory-steps.js'
import { RedisSteps } from '../../../../plugins/lib/throttle/redis-steps.js'
import { openSqliteSteps } from '../../../../plugins/lib/throttle/sqlite-steps.js'
import type { Steps } from '../../../../plugins/lib/throttle/steps.js'
import { eventually } from '../../../helpers/followed.js'
import { startRedis } from '../../../helpers/redis-server.js'
import { START, TestClock } from '../../../helpers/suite.js'
import { makeDataDir } from '../../../helpers/user-center.js'
import { ACCOUNT, readNumber, stepsContract } from '../../../steps-contract.js'

const silent = { warn() {} }

async function redisSteps(t: Test, client: RedisClient): Promise<Steps> {
  t.teardown(() => client.disconnect())
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve))
  return new RedisSteps(client, 5000)
}

const server = await startRedis()
t.teardown(() => server.stop())
const admin = new Redis(server.url)
t.teardown(() => admin.disconnect())

async function openOnRedis(t: Test) {
  await admin.flushall()
  const open = () => redisSteps(t, openRedis(server.url, { commandTimeout: 5000 }))
  return [await open(), await open()] as const
}

async function openOnSqlite(t: Test) {
  const opened = await openSqliteSteps(makeDataDir(t), silent)
  t.teardown(() => opened.close())
  return [opened.steps, opened.steps] as const
}

stepsContract(t, 'memory', async () => {
  const steps = new MemorySteps(new TestClock().read)
  return [steps, steps]
})
stepsContract(t, 'sqlite', openOnSqlite)
stepsContract(t, 'redis', openOnRedis)
stepsContract(t, 'redis, whose numbers come as text', async (t) => {
  await admin.flushall()
  const open = () => redisSteps(t, new Redis(server.url, { stringNumbers: true }))
  return [await open(), await open()] as const
})

t.test('redis: every key goes by itself, and what came to nothing is gone at once', async (t) => {
  const [steps] = await openOnRedis(t)
  for (let name = 0; name < 20; name++) {
    const attempt = await reserve(steps, { rule: ACCOUNT, subject: `{${name}}` }, START)
    if (!isWait(attempt)) await (name % 2 ? attempt.giveBack() : attempt.reset())
  }
  t.strictSame(await admin.keys('*'), [], 'attempts that were none, or were granted, leave nothing')
  const failed = await reserve(steps, { rule: ACCOUNT, subject: '{a}' }, START)
  if (!isWait(failed)) await failed.fail(START)
  const keys = await admin.keys('*')
  t.strictSame(keys.sort(), ['fid:th:{a}', 'fid:th:{a}:1'])
  const lives = async () => Promise.all((await admin.keys('*')).map((key) => admin.ttl(key)))
  const begun = await lives()
  t.ok(
    begun.every((life) => life > 900 && life <= 1020),
    `a name that was tried once is not kept for hours: ${begun}`,
  )
  for (let times = 0; times < 9; times++) {
    const attempt = await reserve(steps, { rule: ACCOUNT, subject: '{a}' }, START)
    if (!isWait(attempt)) await attempt.fail(START)
  }
  const life = await admin.ttl('fid:th:{a}')
  t.ok(life > 60 + 9000 && life < 12_000, `delays are, until they are forgotten: ${life}`)
})

t.test('redis: the rights that docs/scaling.md asks for are enough', async (t) => {
  const [, rights = ''] = /`(~fid:\* [^`]+)`/.exec(await readFile('docs/scaling.md', 'utf8')) ?? []
  await admin.acl('SETUSER', 'app', 'on', '>secret', ...rights.split(' '))
  const client = new Redis(server.url, { username: 'app', password: 'secret', enableReadyCheck: false })
  const steps = await redisSteps(t, client)
  for (let times = 0; times < 10; times++) {
    const attempt = await reserve(steps, { rule: ACCOUNT, subject: '{rights}' }, START)
    if (isWait(attempt)) return t.fail('refused')
    await attempt.fail(START)
  }
  t.strictSame(await reserve(steps, { rule: ACCOUNT, subject: '{rights}' }, START), { retryAfter: 60 })
})

/** How many commands Redis is sent by a work; what scripts do inside it are none. */
async function commandsOf(t: Test, work: () => Promise<unknown>): Promise<number> {
  const monitor = await admin.monitor()
  t.teardown(() => monitor.disconnect())
  const seen: string[] = []
  monitor.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
    if (source !== 'lua') seen.push(name === 'echo' ? String(args[0]) : name)
  })
  await work()
  await admin.echo('over')
  await eventually(async () => seen.includes('over'))
  monitor.disconnect()
  return seen.length - 1
}

t.test('redis: each look, count and settlement is one command, once the scripts are known', async (t) => {
  const [here, there] = await openOnRedis(t)
  const known = await reserve(here, { rule: ACCOUNT, subject: '{known}' }, START)
  if (!isWait(known)) await known.fail(START)
  const attempts: Reservation[] = []
  const take = (steps: Steps, subject: string) => async () => {
    const outcome = await reserve(steps, { rule: ACCOUNT, subject: subject }, START)
    if (!isWait(outcome)) attempts.push(outcome)
  }
  const settle = (how: (attempt: Reservation) => Promise<void>) => async () => {
    const attempt = attempts.pop()
    if (attempt) await how(attempt)
  }
  const first = await reserve(here, { rule: ACCOUNT, subject: '{a}' }, START)
  if (!isWait(first)) await first.reset()
  const counts = {
    'an attempt at what has no failures': await commandsOf(t, take(here, '{a}')),
    'given back': await commandsOf(
      t,
      settle((attempt) => attempt.giveBack()),
    ),
    'another one': await commandsOf(t, take(here, '{a}')),
    'that is granted': await commandsOf(
      t,
      settle((attempt) => attempt.reset()),
    ),
    'an attempt at what failed here': await commandsOf(t, take(here, '{known}')),
    'that fails as well': await commandsOf(
      t,
      settle((attempt) => attempt.fail(START)),
    ),
    'a look at it': await commandsOf(t, () => findWait(here, { rule: ACCOUNT, subject: '{known}' }, START)),
    'the first attempt elsewhere': await commandsOf(t, take(there, '{known}')),
    'and a second one': await commandsOf(t, take(there, '{known}')),
    'an attempt at what is new': await commandsOf(t, take(here, '{b}')),
    'the first failure': await commandsOf(
      t,
      settle((attempt) => attempt.fail(START)),
    ),
  }
  t.strictSame(Object.values(counts), [1, 1, 1, 1, 1, 0, 1, 2, 1, 1, 1], JSON.stringify(counts))
})

t.test('redis: a client that is not connected is a fault at once, and is sent nothing later', async (t) => {
  const client = new Redis(server.url, { lazyConnect: true, enableOfflineQueue: true })
  t.teardown(() => client.disconnect())
  const steps = new RedisSteps(client, 5000)
  await t.rejects(reserve(steps, { rule: ACCOUNT, subject: '{offline}' }, START), /no connection/)
  await t.rejects(findWait(steps, { rule: ACCOUNT, subject: '{offline}' }, START), /no connection/)
  await client.connect()
  t.equal(await readNumber(steps, '{offline}:1'), 0)
})

t.test('redis: what is no number there, and silence, are faults', async (t) => {
  const [steps] = await openOnRedis(t)
  await admin.lpush('fid:th:{a}', 'x')
  await admin.set('fid:th:{b}', 'x')
  await t.rejects(readNumber(steps, '{b}'))
  await t.rejects(steps.release('{a}', '{a}'))
  for (const name of ['{a}', '{b}']) {
    await t.rejects(reserve(steps, { rule: ACCOUNT, subject: name }, START))
    await admin.rename(`fid:th:${name}`, `fid:th:${name}:1`)
    await t.rejects(reserve(steps, { rule: ACCOUNT, subject: name }, START))
  }
  const client = openRedis(server.url)
  t.teardown(() => client.disconnect())
  await new Promise((resolve) => client.once('ready', resolve))
  const hasty = new RedisSteps(client, 50)
  server.pause()
  t.teardown(() => server.resume())
  await t.rejects(readNumber(hasty, '{c}'), /did not answer within 50 ms/)
  await t.rejects(reserve(hasty, { rule: ACCOUNT, subject: '{c}' }, START), /did not answer within 50 ms/)
  server.resume()
})

t.test('sqlite: what has passed is swept, and the connection syncs as before', async (t) => {
  const dataDir = makeDataDir(t)
  const database = await openDatabase(databaseFile(dataDir))
  t.teardown(() => database.close())
  const { connection } = database
  const opened = await openSqliteSteps(dataDir, silent, 20)
  t.teardown(() => opened.close())
  const add = (counter: string) =>
    opened.steps.take({ subject: 'none', seen: 0, counter, most: 9, keep: 3600 })
  await add('kept')
  await add('nothing')
  await opened.steps.release('none', 'nothing')
  const insert = connection.prepare('INSERT INTO throttle_counters VALUES (?, 1, ?)')
  connection.transaction(() => {
    for (let row = 0; row < 1100; row++) insert.run(`passed ${row}`, Date.now() - 1)
  })()
  const count = () => connection.prepare('SELECT key FROM throttle_counters').all().length
  await eventually(() => count() === 1)
  t.equal(await readNumber(opened.steps, 'kept'), 1)
  const rows = connection.prepare('SELECT key, points FROM throttle_counters').all()
  t.strictSame(rows, [{ key: 'kept', points: 1 }], 'as version 0.1 has them')
  t.match(connection.pragma('synchronous'), [{ synchronous: 2 }])
})

t.test('memory: a flood of names is bounded, and what is counted on outlives what is not', async (t) => {
  const clock = new TestClock()
  const steps = new MemorySteps(clock.read, 1000)
  for (let name = 0; name < 5000; name++) {
    const attempt = await reserve(steps, { rule: ACCOUNT, subject: `{${name}}` }, clock.now)
    if (!isWait(attempt)) await attempt.giveBack()
  }
  t.equal(steps.size, 0, 'attempts that were none take no room')
  const add = (counter: string) => steps.take({ subject: 'none', seen: 0, counter, most: 9, keep: 60 })
  for (let name = 0; name < 5000; name++) await add(`{${name}}`)
  t.equal(steps.size, 1000)
  t.equal(await readNumber(steps, '{4999}'), 1)
  clock.advance(60)
  t.equal(await readNumber(steps, '{4999}'), 0, 'past its time')
  for (let name = 0; name < 600; name++) await add(`new ${name}`)
  t.equal(steps.size, 600, 'what has passed goes first')
})
