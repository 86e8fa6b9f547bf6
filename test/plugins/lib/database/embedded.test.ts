import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import Database from 'libsql'
import t from 'tap'
import { databaseFile, lockDataDir, openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { migrations } from '../../../../plugins/lib/database/migrations/index.js'
import { modulePath } from '../../../helpers/processes.js'

const CHILD = modulePath('../../../helpers/database-child', import.meta.url)

/** Another process, that opens and locks what it is told to. */
function startChild() {
  const child = spawn(process.execPath, [...process.execArgv, CHILD])
  t.teardown(() => child.kill('SIGKILL'))
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async (): Promise<unknown> => (await lines.next()).value
  const ready = nextLine()
  const ask = async (action: 'open' | 'lock', dataDir: string) => {
    await ready
    child.stdin.write(`${action}\t${dataDir}\n`)
    return nextLine()
  }
  return { ready, ask, child }
}

const others = [startChild(), startChild()] as const

const modeOf = (path: string) => statSync(path).mode & 0o777

t.test('the file and its journals are readable by their owner only', async (t) => {
  const dataDir = join(t.testdir(), 'deep', 'data')
  const database = await openDatabase(databaseFile(dataDir))
  t.teardown(database.close)
  t.equal(modeOf(dataDir), 0o700)
  const files = readdirSync(dataDir)
  t.ok(files.includes('identity.db'))
  t.ok(files.includes('identity.db-wal'))
  for (const file of files) t.equal(modeOf(join(dataDir, file)), 0o600, file)
})

t.test('an existing directory keeps its mode', async (t) => {
  const dataDir = t.testdir()
  mkdirSync(join(dataDir, 'mine'), { mode: 0o755 })
  const database = await openDatabase(databaseFile(join(dataDir, 'mine')))
  t.teardown(database.close)
  t.equal(modeOf(join(dataDir, 'mine')), 0o755)
})

t.test('a file that others may write is refused, and left as it is', async (t) => {
  const dataDir = t.testdir({ 'identity.db': '', 'identity.lock': '' })
  for (const mode of [0o620, 0o602, 0o666]) {
    for (const name of ['identity.db', 'identity.lock']) chmodSync(join(dataDir, name), mode)
    const refusal = {
      code: 'CONFIG_INVALID',
      message: /^DATA_DIR: .*identity\.(db|lock) is writable by others\.$/,
    }
    await t.rejects(openDatabase(databaseFile(dataDir)), refusal)
    await t.rejects(lockDataDir(dataDir), refusal)
  }
  t.equal(statSync(databaseFile(dataDir)).size, 0)
})

t.test('after the last close the file holds everything, for whoever copies it', async (t) => {
  const dataDir = t.testdir()
  const database = await openDatabase(databaseFile(dataDir))
  database.connection.exec("CREATE TABLE notes (text); INSERT INTO notes VALUES ('the last word')")
  t.ok(statSync(`${databaseFile(dataDir)}-wal`).size > 0)
  await database.close()
  t.equal(statSync(`${databaseFile(dataDir)}-wal`).size, 0)
  t.match(readFileSync(databaseFile(dataDir), 'latin1'), /the last word/)
})

t.test('commits are logged, synced, and wait for a foreign writer', async (t) => {
  const { connection, close } = await openDatabase(databaseFile(t.testdir()))
  t.teardown(close)
  t.match(connection.pragma('journal_mode'), [{ journal_mode: 'wal' }])
  t.match(connection.pragma('synchronous'), [{ synchronous: 2 }])
  t.match(connection.pragma('busy_timeout'), [{ timeout: 5000 }])
})

t.test(
  'one process has one connection to a file, whatever its path, until the last user closes it',
  async (t) => {
    const dir = join(t.testdir({ real: {} }), 'real')
    symlinkSync(dir, `${dir}-link`)
    const [first, second] = await Promise.all([
      openDatabase(databaseFile(dir)),
      openDatabase(databaseFile(`${dir}-link`)),
    ])
    t.equal(first.connection, second.connection)
    t.equal(first.kysely, second.kysely)
    await first.close()
    await first.close()
    t.same(await second.kysely.selectFrom('accounts').select('id').execute(), [])
    await second.close()
    t.equal(second.connection.open, false)
    const third = await openDatabase(databaseFile(dir))
    t.not(third.connection, second.connection)
    t.equal(third.connection.open, true)
    await third.close()
  },
)

t.test('a database in memory is shared with nobody', async (t) => {
  const [first, second] = await Promise.all([openDatabase(':memory:'), openDatabase(':memory:')])
  t.not(first.connection, second.connection)
  await first.close()
  t.equal(second.connection.open, true)
  await second.close()
})

t.test('migrations run once', async (t) => {
  const dir = t.testdir()
  const executed = async () => {
    const { connection, close } = await openDatabase(databaseFile(dir))
    const rows = connection.prepare('SELECT name, timestamp FROM kysely_migration ORDER BY name').all()
    const schema = connection.prepare('SELECT name, sql FROM sqlite_master ORDER BY name').all()
    await close()
    return { rows, schema }
  }
  const before = await executed()
  t.match(
    before.rows,
    Object.keys(migrations).map((name) => ({ name })),
  )
  t.same(await executed(), before)
})

t.test('a database that a newer version has migrated is refused, and left as it is', async (t) => {
  const dir = t.testdir()
  const newer = await openDatabase(databaseFile(dir))
  newer.connection.exec("INSERT INTO kysely_migration VALUES ('9999_later', '2099-01-01T00:00:00.000Z')")
  await newer.close()
  for (const _attempt of [1, 2]) {
    await t.rejects(openDatabase(databaseFile(dir)), {
      code: 'CONFIG_INVALID',
      message: `DATA_DIR: ${databaseFile(dir)} cannot be used, because it was made by a newer version of fastify-identity (9999_later): run that version, or use another directory.`,
    })
  }
})

const DAMAGED =
  /^DATA_DIR: .*\/identity\.db is damaged, or is no database: restore it from a backup, [^\n]*\.$/

t.test('a file that is damaged or no database is refused, and left as it is', async (t) => {
  const whole = t.testdir()
  await (await openDatabase(databaseFile(whole))).close()
  const bytes = readFileSync(databaseFile(whole))
  const damaged = {
    junk: Buffer.from('something else '.repeat(1000)),
    zeroed: Buffer.alloc(bytes.length),
    'its beginning zeroed': Buffer.concat([Buffer.alloc(4096), bytes.subarray(4096)]),
    truncated: bytes.subarray(0, bytes.length / 2),
    'truncated within a page': bytes.subarray(0, 5000),
  }
  for (const [name, content] of Object.entries(damaged)) {
    const dir = t.testdir({})
    writeFileSync(databaseFile(dir), content, { mode: 0o600 })
    const attempts = [openDatabase(databaseFile(dir)), openDatabase(databaseFile(dir))]
    for (const attempt of attempts)
      await t.rejects(attempt, { code: 'CONFIG_INVALID', message: DAMAGED }, name)
    t.ok(readFileSync(databaseFile(dir)).equals(content), `${name}: untouched`)
  }
})

t.test('a database that was emptied is refused; a new file that a start left empty is not', async (t) => {
  const dir = t.testdir()
  await (await openDatabase(databaseFile(dir))).close()
  truncateSync(databaseFile(dir))
  await t.rejects(openDatabase(databaseFile(dir)), { code: 'CONFIG_INVALID', message: DAMAGED })
  const fresh = t.testdir({ 'identity.db': '' })
  chmodSync(databaseFile(fresh), 0o600)
  await (await openDatabase(databaseFile(fresh))).close()
})

t.test('a claim on a directory whose lock is junk says that it may be deleted', async (t) => {
  const dir = t.testdir()
  writeFileSync(join(dir, 'identity.lock'), 'something else '.repeat(1000), { mode: 0o600 })
  await t.rejects(lockDataDir(dir), {
    code: 'CONFIG_INVALID',
    message: `DATA_DIR: ${join(dir, 'identity.lock')} is damaged: delete it, for it holds nothing.`,
  })
})

t.test('a file that cannot be made is named, with the reason', async (t) => {
  const dir = t.testdir({ taken: 'a file' })
  await t.rejects(openDatabase(databaseFile(join(dir, 'taken'))), {
    code: 'CONFIG_INVALID',
    message: /^DATA_DIR: .*taken\/identity\.db cannot be written \(EEXIST[^\n]*\): [^\n]*\.$/,
    cause: { code: 'EEXIST' },
  })
})

t.test(
  'a probe writes, and is refused when the file takes no write or another one has its name',
  async (t) => {
    const dataDir = join(t.testdir(), 'data')
    const file = databaseFile(dataDir)
    const { connection, probe, close } = await openDatabase(file)
    t.teardown(close)
    const logged = () => statSync(`${file}-wal`).size
    const before = logged()
    await probe()
    t.ok(logged() > before, 'it is in the log')
    const refusal = { code: 'STORE_UNAVAILABLE', statusCode: 503 }
    connection.pragma('query_only=ON')
    await t.rejects(probe(), { ...refusal, cause: { code: 'SQLITE_READONLY' } })
    connection.pragma('query_only=OFF')
    await probe()
    renameSync(dataDir, `${dataDir}-moved`)
    await t.rejects(probe(), { ...refusal, cause: { code: 'ENOENT' } })
    mkdirSync(dataDir)
    copyFileSync(join(`${dataDir}-moved`, 'identity.db'), file)
    await t.rejects(probe(), { ...refusal, cause: /another file/ })
    rmSync(dataDir, { recursive: true })
    renameSync(`${dataDir}-moved`, dataDir)
    await probe()
  },
)

t.test('processes that start at the same moment all open one new database', async (t) => {
  await Promise.all(others.map(({ ready }) => ready))
  const parent = t.testdir()
  for (const attempt of ['1', '2', '3', '4', '5']) {
    const dir = join(parent, attempt)
    const asked = others.map(({ ask }) => ask('open', dir))
    const own = await openDatabase(databaseFile(dir))
    t.same(await Promise.all(asked), Array(2).fill('opened, 0 accounts'))
    const run = own.connection.prepare('SELECT name FROM kysely_migration').all()
    t.equal(run.length, Object.keys(migrations).length)
    await own.close()
  }
})

t.test('a new file that another process writes at this moment is opened once it is free', async (t) => {
  const file = databaseFile(t.testdir())
  const other = new Database(file)
  t.teardown(() => other.close())
  chmodSync(file, 0o600)
  other.exec('BEGIN IMMEDIATE')
  const opening = openDatabase(file)
  await setTimeout(100)
  other.exec('COMMIT')
  await (await opening).close()
})

t.test('a data directory is served by one process at a time, and a kill leaves no lock', async (t) => {
  const dataDir = t.testdir()
  const [other] = others
  const own = await lockDataDir(dataDir)
  t.match(await other.ask('lock', dataDir), new RegExp(`CONFIG_INVALID.*DATA_DIR: ${dataDir} is served`))
  await t.rejects(lockDataDir(dataDir), { code: 'CONFIG_INVALID' }, 'nor twice by one process')
  own.release()
  own.release()
  t.equal(await other.ask('lock', dataDir), 'locked')
  await t.rejects(lockDataDir(dataDir), {
    code: 'CONFIG_INVALID',
    message: `DATA_DIR: ${dataDir} is served by another process, and one at a time may serve it.`,
  })
  other.child.kill('SIGKILL')
  await once(other.child, 'exit')
  const next = await lockDataDir(dataDir)
  next.release()
  t.equal(modeOf(join(dataDir, 'identity.lock')), 0o600)
})

t.test('the database of a claimed directory can be opened beside its server', async (t) => {
  const dataDir = t.testdir()
  const lock = await lockDataDir(dataDir)
  t.equal(await others[1].ask('open', dataDir), 'opened, 0 accounts')
  await t.rejects(lockDataDir(dataDir), { code: 'CONFIG_INVALID' }, 'and the claim stands')
  lock.release()
})

t.test('a data directory that cannot be written is named', async (t) => {
  const dir = t.testdir({ taken: 'a file' })
  await t.rejects(lockDataDir(join(dir, 'taken')), {
    code: 'CONFIG_INVALID',
    message: /^DATA_DIR: .*taken\/identity\.lock cannot be written/,
  })
})
