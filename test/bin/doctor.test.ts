import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../../plugins/lib/database/embedded.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { freePort, startRedis } from '../helpers/redis-server.js'
import { input, runCommand } from '../helpers/terminal.js'
import { makeDataDir, startUserCenter } from '../helpers/user-center.js'

const SECRET = 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6'
const EMBEDDED = { AUTH_SECRETS: SECRET, SINGLE_INSTANCE: 'true' }

const doctor = (env: Record<string, string>, args: string[] = []) => runCommand(['doctor', ...args], { env })

t.test('an environment that is fit for production is said to be, and nothing is made', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const { status, stdout, stderr } = await doctor({ ...EMBEDDED, DATA_DIR: dataDir })
  t.same({ status, stderr }, { status: 0, stderr: '' })
  t.match(stdout, /^ok +environment: is complete/m)
  t.match(stdout, /^ok +libsql: is installed/m)
  t.match(stdout, /^ok +DATA_DIR: .* can be written/m)
  t.notMatch(stdout, SECRET)
  t.equal((await runCommand(['inspect'], { env: { DATA_DIR: dataDir }, stdin: input('x') })).status, 1)
})

t.test('what production would refuse is named, whatever NODE_ENV says', async (t) => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ NODE_ENV: 'development' }, /AUTH_SECRETS is required/],
    [{ AUTH_SECRETS: SECRET }, /needs both REDIS_URL and DATABASE_URL/],
    [{ ...EMBEDDED, TRUST_PROXY: 'true' }, /TRUST_PROXY/],
    [{ ...EMBEDDED, REFRESH_GRACE: 'soon' }, /REFRESH_GRACE/],
    [{ ...EMBEDDED, DATA_DIR: 'README.md/data' }, /DATA_DIR: .* cannot be written/],
  ]
  for (const [env, sentence] of cases) {
    const { status, stdout, stderr } = await doctor(env)
    t.equal(status, 1, String(sentence))
    t.match(stdout, sentence)
    t.match(stdout, /^fault/m)
    t.match(stderr, /Faults: 1\./)
  }
  t.equal((await doctor(EMBEDDED, ['--fix'])).status, 2)
})

t.test('stores that are there are asked, and not changed', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const env = { AUTH_SECRETS: SECRET, REDIS_URL: redis.url, DATABASE_URL: await postgres.createDatabase() }
  const empty = await doctor(env)
  t.equal(empty.status, 0)
  t.match(empty.stdout, /^ok +REDIS_URL: Redis answers in [\d.]+ ms, and evicts no revocations/m)
  t.match(empty.stdout, /^ok +DATABASE_URL: PostgreSQL 15\.\d+/m)
  t.match(empty.stdout, /^warning DATABASE_URL: There are no tables yet/m)
  t.match((await doctor(env)).stdout, /no tables yet/, 'looking made none')

  const add = (args: string[]) =>
    runCommand(['account', 'add', ...args], { env, stdin: input('correct horse battery') })
  t.equal((await add(['bob'])).status, 0)
  t.match((await doctor(env)).stdout, /^warning DATABASE_URL: There is no administrator/m)
  t.equal((await add(['alice', '--role', 'admin'])).status, 0)
  t.notMatch((await doctor(env)).stdout, /warning/)
})

t.test('stores that are not there, or would lose revocations, are faults', async (t) => {
  const evicting = await startRedis({
    tcp: true,
    args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
  })
  t.teardown(() => evicting.stop())
  const port = await freePort()
  const base = {
    AUTH_SECRETS: SECRET,
    DATABASE_URL: `postgres://somebody:hidden-word@127.0.0.1:${port}/none`,
  }
  const evicts = await doctor({ ...base, REDIS_URL: evicting.url })
  t.equal(evicts.status, 1)
  t.match(evicts.stdout, /^fault +REDIS_URL: .*allkeys-lru/m)
  t.match(evicts.stdout, /^fault +DATABASE_URL: PostgreSQL cannot be used/m)
  t.match(evicts.stderr, /Faults: 2\./)
  const absent = await doctor({ ...base, REDIS_URL: `redis://:hidden-word@127.0.0.1:${port}` })
  t.match(absent.stdout, /^fault +REDIS_URL: Redis cannot be used/m)
  t.notMatch(`${evicts.stdout}${absent.stdout}`, 'hidden-word')
})

const passwd = (env: Record<string, string>, name: string) =>
  runCommand(['account', 'passwd', name], { env, stdin: input('correct horse battery') })

t.test(
  'accounts that production would refuse to start with are a fault, in the embedded file too',
  async (t) => {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const postgres = await startPostgres()
    t.teardown(() => postgres.stop())
    const stores = { REDIS_URL: redis.url, DATABASE_URL: await postgres.createDatabase() }
    const places: [string, Record<string, string>][] = [
      ['DATABASE_URL', { AUTH_SECRETS: SECRET, ...stores }],
      ['DATA_DIR', { ...EMBEDDED, DATA_DIR: makeDataDir(t) }],
    ]
    for (const [name, env] of places) {
      // As development leaves it.
      await (await startUserCenter(t, env)).app.close()
      const { status, stdout, stderr } = await doctor(env)
      t.equal(status, 1, name)
      t.match(stdout, new RegExp(`^fault +${name}: .*development account with its well known password`, 'm'))
      t.match(stderr, /Faults: 1\./)
      for (const account of ['admin', 'user1']) t.equal((await passwd(env, account)).status, 0)
      t.match(await doctor(env), { status: 0, stderr: '' })
      await startUserCenter(t, { ...env, NODE_ENV: 'production' })
    }
  },
)

t.test('an embedded database that cannot be used, or has nobody in it, is said to be', async (t) => {
  const dataDir = makeDataDir(t)
  const file = join(dataDir, 'identity.db')
  const env = { ...EMBEDDED, DATA_DIR: dataDir }
  t.match(await doctor(env), { status: 0, stdout: /^warning DATA_DIR: There is no database yet/m })
  const add = { env, stdin: input('correct horse battery') }
  t.equal((await runCommand(['account', 'add', 'bob'], add)).status, 0)
  const before = [readFileSync(file), readdirSync(dataDir)]
  t.match(await doctor(env), { status: 0, stdout: /^warning DATA_DIR: There is no administrator/m })
  t.same([readFileSync(file), readdirSync(dataDir)], before, 'and is as it was')
  const { connection, close } = await openDatabase(file)
  connection.exec("INSERT INTO kysely_migration VALUES ('9999_later', '2099-01-01T00:00:00.000Z')")
  await close()
  t.match(await doctor(env), { status: 1, stdout: /^fault +DATA_DIR: .*made by a newer version/m })
  chmodSync(file, 0o666)
  t.match(await doctor(env), { status: 1, stdout: /^fault +DATA_DIR: .*is writable by others/m })
  chmodSync(file, 0o600)
  writeFileSync(file, 'something else, which is no database')
  t.match(await doctor(env), {
    status: 1,
    stdout: /^fault +DATA_DIR: .*identity\.db is damaged, or is no data/m,
  })
})

t.test('stores that answer, and that production could not work with, are faults', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const base = { AUTH_SECRETS: SECRET, REDIS_URL: redis.url }
  const asAdmin = (url: string, sql: string) => postgres.asAdmin(url, (client) => client.query(sql))
  const name = (url: string) => new URL(url).pathname.slice(1)

  const [foreign, newer, readOnly] = await Promise.all([1, 2, 3].map(() => postgres.createDatabase()))
  if (!foreign || !newer || !readOnly) return t.fail()
  await asAdmin(foreign, `ALTER DATABASE ${name(foreign)} OWNER TO postgres`)
  const add = { env: { ...base, DATABASE_URL: newer }, stdin: input('correct horse battery') }
  t.equal((await runCommand(['account', 'add', 'alice', '--role', 'admin'], add)).status, 0)
  await asAdmin(newer, "INSERT INTO kysely_migration VALUES ('9999_later', '2099-01-01T00:00:00.000Z')")
  await asAdmin(readOnly, `ALTER DATABASE ${name(readOnly)} SET default_transaction_read_only = on`)
  const cases: [string, RegExp][] = [
    [foreign, /^fault +DATABASE_URL: .*permission denied for schema public/m],
    [newer, /^fault +DATABASE_URL: .*newer version of fastify-identity \(9999_later\)/m],
    [readOnly, /^fault +DATABASE_URL: It takes no writes/m],
    [await postgres.createDatabase('LATIN1'), /^fault +DATABASE_URL: .*its encoding is LATIN1/m],
  ]
  for (const [DATABASE_URL, sentence] of cases) {
    t.match(await doctor({ ...base, DATABASE_URL }), { status: 1, stdout: sentence, stderr: /Faults: 1\./ })
  }

  const replica = await startRedis({ tcp: true, args: ['--replicaof', ...redis.url.slice(8).split(':')] })
  t.teardown(() => replica.stop())
  const env = { ...base, DATABASE_URL: await postgres.createDatabase() }
  const onReplica = await doctor({ ...env, REDIS_URL: replica.url })
  t.match(onReplica, { status: 1, stdout: /^fault +REDIS_URL: It leads to a replica/m })
  redis.pause()
  t.teardown(() => redis.resume())
  t.match(await doctor(env), { status: 1, stdout: /^fault +REDIS_URL: .*it does not answer within 3 s/m })
})
