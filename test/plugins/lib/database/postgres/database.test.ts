import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { WITHOUT_EMAIL } from '../../../../../plugins/lib/accounts/rows.js'
import type { AccountsDatabase } from '../../../../../plugins/lib/database/accounts-database.js'
import { postgresMigrations } from '../../../../../plugins/lib/database/migrations/index.js'
import { type OpenPostgres, openPostgres } from '../../../../../plugins/lib/database/postgres/database.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { PATIENT, startPostgres } from '../../../../helpers/postgres-server.js'
import { modulePath } from '../../../../helpers/processes.js'

const CHILD = modulePath('../../../../helpers/postgres-child', import.meta.url)

const server = await startPostgres()
t.teardown(() => server.stop())

async function open(t: Test, databaseUrl: string, options: Partial<OpenPostgres> = {}) {
  const database = await openPostgres({ databaseUrl, ...options, pool: { ...PATIENT, ...options.pool } })
  t.teardown(database.close)
  return database
}

/** What went wrong on the way to the rows; '' when nothing did. */
async function ask({ kysely }: AccountsDatabase): Promise<string> {
  const error = await kysely
    .selectFrom('accounts')
    .select('id')
    .execute()
    .then(
      () => '',
      (error: Error) => error,
    )
  return `${error}`
}

const tables = (url: string) =>
  server.asAdmin(url, async (client) => {
    const sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    const { rows } = await client.query<{ tablename: string }>(sql)
    return rows.map(({ tablename }) => tablename)
  })

const migrated = (url: string) =>
  server.asAdmin(url, async (client) => {
    const { rows } = await client.query<{ name: string }>('SELECT name FROM kysely_migration ORDER BY name')
    return rows.map(({ name }) => name)
  })

const TABLES = [
  'account_events',
  'accounts',
  'api_keys',
  'factors',
  'kysely_migration',
  'kysely_migration_lock',
  'outbox',
  'reset_tokens',
]
const MIGRATED = Object.keys(postgresMigrations).sort()

async function until(check: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 6000; tries++) {
    if (await check()) return true
    await delay(10)
  }
  return false
}

/** Another process; it opens the database when it is told to. */
async function startChild(t: Test, url: string) {
  const child = spawn(process.execPath, [...process.execArgv, CHILD], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = once(child, 'exit')
  await lines.next()
  return {
    async open(): Promise<unknown> {
      child.stdin.write('\n')
      return (await lines.next()).value
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

t.test('an empty database is migrated once, and holds no sign-ins', async (t) => {
  const url = await server.createDatabase()
  await (await openPostgres({ databaseUrl: url, pool: PATIENT })).close()
  t.same(await tables(url), TABLES)
  t.same(await migrated(url), MIGRATED)
  const stamps = () => server.asAdmin(url, (client) => client.query('SELECT * FROM kysely_migration'))
  const { rows } = await stamps()
  await open(t, url)
  t.same((await stamps()).rows, rows)
})

t.test('processes that start at the same moment all open one empty database', async (t) => {
  const url = await server.createDatabase()
  const children = await Promise.all([1, 2, 3].map(() => startChild(t, url)))
  const own = [open(t, url), open(t, url)]
  t.same(await Promise.all(children.map((child) => child.open())), Array(3).fill('opened, 0 accounts'))
  for (const database of await Promise.all(own)) t.equal(await ask(database), '')
  t.same(await migrated(url), MIGRATED)
})

t.test('a start that is killed while it migrates leaves nothing, and the next one succeeds', async (t) => {
  const url = await server.createDatabase()
  const child = await startChild(t, url)
  const waiting = () =>
    server.asAdmin(url, async (client) => {
      const sql = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
      return (await client.query(sql)).rowCount === 1
    })
  await server.asAdmin(url, async (client) => {
    // Whoever else makes a table of this name has to wait for us.
    await client.query('BEGIN')
    await client.query('CREATE TABLE accounts (id text)')
    void child.open()
    t.ok(await until(waiting), 'it is in the middle of it')
    await child.kill()
    await client.query('ROLLBACK')
  })
  const gone = () =>
    server.asAdmin(url, async (client) => {
      const sql = 'SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name <> $1'
      return (await client.query(sql, [''])).rowCount === 0
    })
  t.ok(await until(gone))
  t.same(await tables(url), [], 'nothing is left of it')
  t.equal(await ask(await open(t, url)), '')
  t.same(await migrated(url), MIGRATED)
})

t.test('a start whose connection is ended while it migrates tries again', async (t) => {
  const url = await server.createDatabase()
  const starting = await server.asAdmin(url, async (client) => {
    await client.query('BEGIN')
    await client.query('CREATE TABLE accounts (id text)')
    const opened = open(t, url)
    const end = 'SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted'
    t.ok(await until(async () => (await client.query(end)).rowCount === 1))
    await client.query('ROLLBACK')
    return { opened }
  })
  t.equal(await ask(await starting.opened), '')
  t.same(await migrated(url), MIGRATED)
})

t.test(
  'a start waits for a connection that comes free, and no longer than it waits for a server',
  async (t) => {
    const url = await server.createDatabase()
    const limit = (most: number) =>
      server.asAdmin(url, (client) => client.query(`ALTER ROLE identity CONNECTION LIMIT ${most}`))
    await limit(0)
    t.teardown(() => limit(-1))
    const impatient = openPostgres({ databaseUrl: url, pool: { startTimeout: 1 } })
    await t.rejects(impatient, { code: 'CONFIG_INVALID', message: /too many connections/ })
    const starting = open(t, url)
    await delay(200)
    await limit(-1)
    t.equal(await ask(await starting), '')
  },
)

t.test('a database that a newer version has migrated, or that holds another table, is refused', async (t) => {
  const url = await server.createDatabase()
  await (await openPostgres({ databaseUrl: url, pool: PATIENT })).close()
  const later = "INSERT INTO kysely_migration VALUES ('9999_later', '2099-01-01T00:00:00.000Z')"
  await server.asAdmin(url, (client) => client.query(later))
  await t.rejects(openPostgres({ databaseUrl: url }), {
    code: 'CONFIG_INVALID',
    message:
      'DATABASE_URL: the database cannot be used (it was made by a newer version of fastify-identity (9999_later)): run that version, or use another database.',
  })
  const other = await server.createDatabase()
  await server.asAdmin(other, (client) => client.query('CREATE TABLE accounts (owner text)'))
  await t.rejects(openPostgres({ databaseUrl: other }), {
    code: 'CONFIG_INVALID',
    message: /^DATABASE_URL: [^\n]*relation "accounts" already exists/,
  })
  t.same(await tables(other), ['accounts'], 'and is left as it was')
})

t.test(
  'a database that cannot be migrated is refused for what is wrong with it, and left as it is',
  async (t) => {
    const foreign = await server.createDatabase()
    await server.asAdmin(foreign, (client) => client.query('ALTER SCHEMA public OWNER TO postgres'))
    await server.asAdmin(foreign, async (client) => {
      const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name')
      await client.query(`ALTER DATABASE ${rows[0]?.name} OWNER TO postgres`)
    })
    const cases: [string, RegExp][] = [
      [foreign, /permission denied for schema public/],
      [await server.createDatabase('LATIN1'), /its encoding is LATIN1, and must be UTF8/],
      [await server.createDatabase('SQL_ASCII'), /its encoding is SQL_ASCII, and must be UTF8/],
    ]
    for (const [databaseUrl, reason] of cases) {
      await t.rejects(openPostgres({ databaseUrl }), { code: 'CONFIG_INVALID', message: reason })
      t.same(await tables(databaseUrl), [])
    }
  },
)

t.test('a probe is refused when the database takes no writes, which it would go on being read', async (t) => {
  const databaseUrl = await server.createDatabase()
  const database = await open(t, databaseUrl)
  await database.probe()
  const setReadOnly = (value: 'on' | 'off') =>
    server.asAdmin(databaseUrl, async (client) => {
      await client.query(`ALTER DATABASE ${new URL(databaseUrl).pathname.slice(1)}
        SET default_transaction_read_only = ${value}`)
      await client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      )
    })
  const fault = () => database.probe().then(String, (error: Error) => `${error.cause}`)
  await setReadOnly('on')
  t.ok(await until(async () => /takes no writes/.test(await fault())))
  t.equal(await ask(database), '', 'it can be read')
  await t.rejects(database.probe(), { code: 'STORE_UNAVAILABLE', statusCode: 503 })
})

t.test('what a URL leads to and cannot be used is said in one sentence, without the password', async (t) => {
  const url = await server.createDatabase()
  const cases: [string, RegExp][] = [
    [server.overTcp(url, 'a wrong password'), /password authentication failed/],
    [`${url}_missing`, /database "\w+" does not exist/],
    [`${server.overTcp(url)}?sslmode=verify-full`, /self-signed certificate/],
    [`${server.overTcp(url)}?sslmode=verify-full&sslrootcert=/there/is/none.pem`, /ENOENT/],
    ['postgres://nobody:a%20wrong%20password@127.0.0.1:1/identity', /ECONNREFUSED/],
    ['postgres://nobody:a%20wrong%20password@localhost:1/identity', /ECONNREFUSED/],
    ['postgres://nobody@%2Fthere%2Fis%2Fnone/identity', /ENOENT/],
  ]
  for (const [databaseUrl, reason] of cases) {
    const error: unknown = await openPostgres({ databaseUrl, pool: { startTimeout: 1 } }).catch(
      (error) => error,
    )
    t.match(error, { code: 'CONFIG_INVALID', message: reason }, databaseUrl)
    t.match(error, { message: /^DATABASE_URL: the database cannot be used \([^\n]+\)\.$/ })
    t.notMatch(error, { message: /wrong password|p@ss|p%40ss/ })
  }
  const malformed = openPostgres({ databaseUrl: 'postgres://user:secret@db' })
  await t.rejects(malformed, {
    code: 'OPTION_INVALID',
    message: /^The option databaseUrl must be (?!.*secret)/,
  })
})

t.test('TLS, with what verifies it and without, and a password over TCP', async (t) => {
  const url = await server.createDatabase()
  const overTls = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
  for (const [address, ssl] of [
    [server.overTcp(url), false],
    [`${server.overTcp(url)}?sslmode=no-verify`, true],
    [
      `${server.overTcp(url).replace('127.0.0.1', 'localhost')}?sslmode=require&sslrootcert=${server.certificate}`,
      true,
    ],
  ] as const) {
    const { kysely } = await open(t, address)
    t.same((await sql.raw(overTls).execute(kysely)).rows, [{ ssl }])
  }
  const byAddress = `${server.overTcp(url)}?sslmode=verify-ca&sslrootcert=${server.certificate}`
  const refused = openPostgres({ databaseUrl: byAddress, pool: { startTimeout: 1 } })
  await t.rejects(refused, { message: /does not match certificate/ }, 'the name is verified too')
})

t.test('numbers are numbers, in this pool only', async (t) => {
  const { kysely } = await open(t, await server.createDatabase())
  const now = Date.UTC(2030, 0, 1) + 123
  const { rows } = await sql`SELECT ${now}::bigint AS time, 7 AS small, 'x' AS text`.execute(kysely)
  t.strictSame(rows, [{ time: now, small: 7, text: 'x' }])
  const { default: pg } = await import('pg')
  t.equal(pg.types.getTypeParser(20)('7'), '7')
})

t.test('names are ordered by their bytes, whatever the database’s own order is', async (t) => {
  const { kysely } = await open(t, await server.createDatabase())
  const { rows } = await sql<{ collation_name: string }>`SELECT collation_name FROM information_schema.columns
    WHERE table_name = 'accounts' AND column_name = 'canonical'`.execute(kysely)
  t.same(rows, [{ collation_name: 'C' }])
})

/** What the pool says of its connections. */
function memoryLog() {
  const lines: string[] = []
  return {
    lines,
    log: {
      error: (_entry: object, line?: string) => void lines.push(`error: ${line}`),
      info: (line: unknown) => void lines.push(`info: ${line}`),
    },
  }
}

t.test('a query that takes too long is ended, and its connection serves the next one', async (t) => {
  const { kysely } = await open(t, await server.createDatabase(), { pool: { max: 1, queryTimeout: 100 } })
  const pid = async () => (await sql`SELECT pg_backend_pid()`.execute(kysely)).rows
  const before = await pid()
  await t.rejects(sql`SELECT pg_sleep(10)`.execute(kysely), { code: '57014', message: /statement timeout/ })
  t.same(await pid(), before)
})

t.test('who falls silent within a transaction holds nobody up for long', async (t) => {
  const url = await server.createDatabase()
  const pool = { queryTimeout: 300 }
  const [frozen, other] = [await open(t, url, { pool }), await open(t, url)]
  const steps = new EventEmitter()
  const silent = once(steps, 'silent')
  const transaction = frozen.kysely.transaction().execute(async (db) => {
    await sql`LOCK TABLE accounts`.execute(db)
    steps.emit('silent')
    // As a process that is suspended, or whose machine has left the network.
    await once(steps, 'go on')
    await sql`SELECT 1`.execute(db)
  })
  await silent
  t.equal(await ask(other), '', 'its locks go with the transaction, before the other gives up')
  steps.emit('go on')
  await t.rejects(transaction, 'and it hears of that when it goes on')
  t.equal(await ask(frozen), '')
})

t.test('beyond the pool a query waits, and is refused in time', async (t) => {
  const { kysely } = await open(t, await server.createDatabase(), { pool: { max: 1, connectTimeout: 1000 } })
  const steps = new EventEmitter()
  const busy = kysely.connection().execute(() => once(steps, 'go on'))
  const late = Promise.allSettled([1, 2, 3].map(() => sql`SELECT 1`.execute(kysely)))
  for (const result of await late) t.match(result, { reason: { message: /^timeout exceeded/ } })
  steps.emit('go on')
  await busy
  t.same((await sql`SELECT 1 AS one`.execute(kysely)).rows, [{ one: 1 }])
})

t.test('connections that the server ends are noticed, idle or busy, and made again', async (t) => {
  const url = await server.createDatabase()
  const { lines, log } = memoryLog()
  const database = await open(t, url, { log })
  const endAll = () =>
    server.asAdmin(url, (client) =>
      client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`),
    )
  t.equal(await ask(database), '')
  await endAll()
  t.ok(await until(async () => lines.length > 0))
  t.equal(await ask(database), '')
  t.same(lines, ['error: PostgreSQL does not answer.', 'info: PostgreSQL answers again.'])
  const busy = sql`SELECT pg_sleep(10)`.execute(database.kysely)
  const refused = t.rejects(busy, { code: '57P01' })
  const asleep = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
  await server.asAdmin(url, async (client) => {
    while (!(await client.query(asleep)).rowCount) await delay(2)
  })
  await endAll()
  await refused
  t.equal(await ask(database), '')
  t.equal(lines.length, 4, 'one line for each way')
})

t.test('faults carry no value of the query, and no row of the answer', async (t) => {
  const { kysely } = await open(t, await server.createDatabase())
  const row = {
    ...{ id: 'a', username: 'a', canonical: 'a', password_hash: 'the hash', role: 'user', epoch: 1 },
    ...{
      distributed_epoch: 1,
      spared_sign_in: null,
      disabled: 0,
      avatar: null,
      display_name: null,
      ...WITHOUT_EMAIL,
      epoch_raised_at: 0,
      created_at: 1,
      updated_at: 1,
    },
  }
  const insert = (values: typeof row) => kysely.insertInto('accounts').values(values).execute()
  await insert(row)
  for (const broken of [
    row,
    { ...row, id: 'a'.repeat(33) },
    { ...row, id: 'b', canonical: 'b', epoch: Number.NaN },
  ]) {
    const error: unknown = await insert(broken).catch((error) => error)
    t.match(error, { code: /^2[23]...$/ })
    t.notMatch(JSON.stringify(Object.assign({}, error)), /the hash/)
    t.same(Object.keys(Object(error)).sort(), ['code'])
  }
})

t.test('a demoted primary is left: its name may lead to the new one', async (t) => {
  const url = await server.createDatabase()
  const { kysely } = await open(t, url, { pool: { max: 1 } })
  await sql`SET default_transaction_read_only = on`.execute(kysely)
  const write = () => sql`CREATE TABLE other (id text)`.execute(kysely)
  await t.rejects(write(), { code: '25006' })
  await write()
})

t.test(
  'a frozen server: refused in time, nothing hangs, not even the close; thawed, it serves',
  async (t) => {
    const url = await server.createDatabase()
    const pool = { max: 2, connectTimeout: 200, queryTimeout: 200 }
    const database = await open(t, url, { pool })
    const closing = await openPostgres({ databaseUrl: url, pool })
    // A busy machine may need longer than these limits.
    t.ok(await until(async () => (await ask(closing)) === ''))
    t.ok(await until(async () => (await ask(database)) === ''))
    server.pause()
    t.teardown(() => server.resume())
    const since = ownTime()
    for (const result of await Promise.all([1, 2, 3, 4].map(() => ask(database)))) t.match(result, /time/)
    t.match(await ask(database), /timeout/, 'and what comes later')
    await closing.close()
    await closing.close()
    t.ok(ownTime() - since < 5000)
    server.resume()
    t.ok(await until(async () => (await ask(database)) === ''))
  },
)

t.test('a server that crashed: refused at once, and served again when it is back', async (t) => {
  const url = await server.createDatabase()
  const { lines, log } = memoryLog()
  const database = await open(t, url, { log })
  t.equal(await ask(database), '')
  await server.kill()
  t.not(await ask(database), '')
  const starting = open(t, url)
  await delay(200)
  await server.start()
  t.equal(await ask(await starting), '', 'one that starts meanwhile waits for it')
  t.equal(await ask(database), '')
  t.same(lines, ['error: PostgreSQL does not answer.', 'info: PostgreSQL answers again.'])
})
