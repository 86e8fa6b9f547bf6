import { join } from 'node:path'
import t from 'tap'
import { startPostgres } from '../helpers/postgres-server.js'
import { freePort, startRedis } from '../helpers/redis-server.js'
import { input, runCommand } from '../helpers/terminal.js'

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
    t.match(stderr, /1 to mend/)
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
  t.match(evicts.stderr, /2 to mend/)
  const absent = await doctor({ ...base, REDIS_URL: `redis://:hidden-word@127.0.0.1:${port}` })
  t.match(absent.stdout, /^fault +REDIS_URL: Redis cannot be used/m)
  t.notMatch(`${evicts.stdout}${absent.stdout}`, 'hidden-word')
})
