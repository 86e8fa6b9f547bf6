import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import accountsPlugin, { type AccountsOptions, seedDevelopmentAccounts } from '../../plugins/accounts.js'
import { createAccounts } from '../../plugins/lib/accounts/accounts.js'
import { passwords } from '../../plugins/lib/accounts/passwords.js'
import type { AccountSource } from '../../plugins/lib/contract.js'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { testAccountContract } from '../account-contract.js'

t.test('over SQLite', async (t) => {
  testAccountContract(t, async (t) => {
    const database = await openDatabase(':memory:')
    t.teardown(database.close)
    return database
  })
})

async function buildApp(t: Test, options: AccountsOptions) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(accountsPlugin, options)
  await app.ready()
  return app
}

t.test('an account survives a restart, with its real hash', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const first = await buildApp(t, { dataDir, clock: () => 1000 })
  const created = await first.accounts.create({ username: 'alice', password: 'correct horse', role: 'user' })
  await first.close()
  const second = await buildApp(t, { dataDir })
  t.same(await second.accountSource.verify('alice', 'correct horse'), created)
  t.equal(await second.accountSource.verify('alice', 'wrong horse'), null)
  t.match(await second.accounts.findByUsername('alice'), { createdAt: 1000 })
  t.equal(second.accountSource, second.accounts)
  await second.close()
  for (const suffix of ['', '-wal']) {
    t.notMatch(readIfThere(databaseFile(dataDir) + suffix), 'correct horse', 'no password in clear on disk')
  }
})

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

t.test('a database fault is STORE_UNAVAILABLE, with the cause for the log only', async (t) => {
  const database = await openDatabase(databaseFile(t.testdir()))
  t.teardown(database.close)
  const accounts = createAccounts({ db: database.kysely, passwords, clock: Date.now })
  database.connection.exec('DROP TABLE accounts')
  const faults = [
    accounts.verify('alice', 'correct horse'),
    accounts.find('id'),
    accounts.findByUsername('alice'),
    accounts.create({ username: 'alice', password: 'correct horse', role: 'user' }),
    accounts.changePassword('id', 'correct horse', 'battery staple'),
    accounts.setRole('id', 'user'),
    accounts.setDisabled('id', true),
    accounts.update('id', { role: 'admin' }),
    accounts.list({ limit: 1 }),
    accounts.count(),
  ]
  for (const fault of await Promise.allSettled(faults)) {
    t.match(fault, {
      reason: { code: 'STORE_UNAVAILABLE', statusCode: 503, cause: { message: /no such table/ } },
    })
    t.notMatch(fault, { reason: { message: /table/ } })
  }
})

t.test('an application brings its own accounts', async (t) => {
  const source: AccountSource = { verify: async () => null, find: async () => null }
  const app = await buildApp(t, { source })
  t.equal(await app.accountSource.verify('alice', 'wrong'), null)
  t.throws(() => app.accounts, { code: 'OPTION_INVALID', message: /source/ })
  t.throws(() => app.passwordPolicy, { code: 'OPTION_INVALID', message: /source/ })
})

t.test('options that are missing, wrong or without effect are refused at boot, by name', async (t) => {
  const source = { verify: async () => null, find: async () => null }
  const cases: [string, unknown][] = [
    ['dataDir', {}],
    ['dataDir', { dataDir: '' }],
    ['dataDir', { dataDir: 7 }],
    ['clock', { dataDir: t.testdir(), clock: 7 }],
    ['source', { source: null }],
    ['source', { source: { verify: source.verify } }],
    ['source', { source: { find: source.find } }],
    ['source', { source, dataDir: t.testdirName }],
    ['source', { source, clock: Date.now }],
    ['source', { source, databaseUrl: 'postgres://db/identity' }],
    ['source', { source, pool: {} }],
    ['databaseUrl', { databaseUrl: 'postgres://db' }],
    ['pool.max', { databaseUrl: 'postgres://db/identity', pool: { max: 0 } }],
    ['pool', { dataDir: t.testdirName, pool: {} }],
    ['dataDir', { dataDir: t.testdirName, databaseUrl: 'postgres://db/identity' }],
    ['dataDirectory', { dataDirectory: t.testdirName }],
    ['source', { source, passwordWords: ['acme'] }],
    ['passwordWords', { dataDir: t.testdir(), passwordWords: ['ab'] }],
    ['passwordWords', { dataDir: t.testdir(), passwordWords: 'acme' }],
    ['passwordWords', { dataDir: t.testdir(), passwordWords: [7] }],
    ['source', { source, hashesAtOnce: 2 }],
    ['hashesAtOnce', { dataDir: t.testdir(), hashesAtOnce: 0 }],
    ['hashesAtOnce', { dataDir: t.testdir(), hashesAtOnce: 1.5 }],
    ['hashesAtOnce', { dataDir: t.testdir(), hashesAtOnce: 65 }],
    ['hashesAtOnce', { dataDir: t.testdir(), hashesAtOnce: '2' }],
  ]
  for (const [name, options] of cases) {
    const app = Fastify()
    // Wrong on purpose, as an application in JavaScript could have them.
    const boot = async () => {
      await app.register(accountsPlugin, options as AccountsOptions)
    }
    await t.rejects(boot, { code: 'OPTION_INVALID', message: new RegExp(`^The option ${name} `) })
    await app.close()
  }
})

t.test('as many passwords are hashed at once as is asked for, and some wait for each', async (t) => {
  const app = await buildApp(t, { dataDir: t.testdir(), hashesAtOnce: 8 })
  const storm = Array.from({ length: 500 }, () => app.accountSource.verify('nobody', 'correct horse'))
  const outcomes = await Promise.allSettled(storm)
  const shed = outcomes.filter(({ status }) => status === 'rejected')
  t.ok(shed.length > 0, 'no more than that')
  t.ok(shed.length <= 500 - 8 * 17, `${shed.length} of 500 were shed`)
  t.match(
    shed,
    Array.from(shed, () => ({ reason: { code: 'BUSY' } })),
  )
})

async function openAccounts(t: Test) {
  const { kysely, close } = await openDatabase(databaseFile(t.testdir()))
  t.teardown(close)
  return createAccounts({ db: kysely, passwords, clock: Date.now })
}

/** A logger that writes to memory, as Fastify has it. */
function memoryLogger() {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(`${chunk}`)
      done()
    },
  })
  return { lines, log: Fastify({ logger: { level: 'trace', stream } }).log }
}

t.test('an empty database is seeded once, with one warning and no credential in the log', async (t) => {
  const accounts = await openAccounts(t)
  const { lines, log } = memoryLogger()
  t.equal(await seedDevelopmentAccounts(accounts, log), true)
  t.match(await accounts.verify('admin', 'admin123'), { role: 'admin' })
  t.match(await accounts.verify('user1', 'user123'), { role: 'user' })
  t.equal(await seedDevelopmentAccounts(accounts, log), false)
  t.equal(lines.length, 1)
  t.match(lines[0], '"level":40')
  t.notMatch(lines[0], /admin123|user123|argon2/)
})

t.test('a database with any account is not seeded', async (t) => {
  const accounts = await openAccounts(t)
  await accounts.create({ username: 'alice', password: 'correct horse', role: 'admin' })
  const { lines, log } = memoryLogger()
  t.equal(await seedDevelopmentAccounts(accounts, log), false)
  t.equal(await accounts.count(), 1)
  t.same(lines, [])
})

t.test('two that seed at the same moment both succeed, and a fault is not hidden', async (t) => {
  const accounts = await openAccounts(t)
  const { log } = memoryLogger()
  await Promise.all([seedDevelopmentAccounts(accounts, log), seedDevelopmentAccounts(accounts, log)])
  t.equal(await accounts.count(), 2)
  const broken = { ...accounts, count: async () => 0, create: () => Promise.reject(new Error('disk full')) }
  await t.rejects(seedDevelopmentAccounts(broken, log), /disk full/)
})
