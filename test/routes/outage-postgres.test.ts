import { readdirSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'libsql'
import t, { type Test } from 'tap'
import { main } from '../../plugins/lib/cli/main.js'
import { databaseFile } from '../../plugins/lib/database/embedded.js'
import { ADMIN, listen, MODES, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'
import { ownTime } from '../helpers/own-time.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { startRedis } from '../helpers/redis-server.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { startUserCenter, testClock } from '../helpers/user-center.js'

const [server, redis] = await Promise.all([startPostgres(), startRedis({ tcp: true })])
t.teardown(() => Promise.all([server.stop(), redis.stop()]))

const SECRET = 'Zk3v9QmXr7LwT2bNc8YhFp5sJd6GaV4e'

/** Instances on one database and one Redis. */
async function startInstances(t: Test, count: number, env: Record<string, string> = {}) {
  const DATABASE_URL = await server.createDatabase()
  const clock = testClock()
  const shared = { DATABASE_URL, REDIS_URL: redis.url, AUTH_SECRETS: SECRET, ...env }
  return Promise.all(Array.from({ length: count }, () => startUserCenter(t, shared, clock)))
}

async function until(ready: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await ready()); await delay(20)) {
    if (Date.now() > deadline) throw new Error('it did not come to that')
  }
}

t.test('instances share accounts, and open no file', async (t) => {
  const [here, there] = await startInstances(t, 2)
  if (!here || !there) return t.fail()
  t.equal(await there.app.accounts.count(), 2, 'seeded once, by whichever came first')
  t.equal((await there.app.inject({ url: '/readyz' })).statusCode, 200)
  const { id } = (await here.app.accounts.findByUsername('user1')) ?? { id: '' }
  for (const mode of MODES) {
    const { credential } = await signIn(here.app, mode)
    t.match((await userInfo(there.app, credential)).json(), { auth_type: mode, data: { username: 'user1' } })
    await there.app.accounts.setRole(id, 'admin')
    for (const { app } of [there, here]) {
      const since = ownTime()
      while ((await userInfo(app, credential)).statusCode === 200 && ownTime() - since < 1000);
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', mode)
    }
  }
  const own = await signIn(there.app, 'cookie')
  const change = { current_password: USER.password, new_password: 'correct horse' }
  t.equal((await post(there.app, '/password', change, own.credential)).statusCode, 200)
  await signIn(here.app, 'token', { username: 'user1', password: change.new_password })
  for (const { dataDir } of [here, there]) t.same(readdirSync(dataDir), [])
})

t.test('without Redis the state is in the embedded file, and accounts are not', async (t) => {
  const DATABASE_URL = await server.createDatabase()
  const clock = testClock()
  const { app, dataDir } = await startUserCenter(t, { DATABASE_URL }, clock)
  const { credential } = await signIn(app, 'session')
  await app.close()
  const file = new Database(databaseFile(dataDir))
  t.same(file.prepare('SELECT id FROM accounts').all(), [])
  t.equal(file.prepare('SELECT id FROM sign_ins').all().length, 1)
  file.close()
  const again = await startUserCenter(t, { DATABASE_URL, DATA_DIR: dataDir }, clock)
  t.equal((await userInfo(again.app, credential)).statusCode, 200, 'and a restart signs nobody out')
})

t.test('a change whose answer is lost ends the sign-ins all the same', async (t) => {
  const url = await server.createDatabase()
  const proxy = await startProxy(Number(new URL(server.overTcp(url)).port))
  t.teardown(() => proxy.close())
  const DATABASE_URL = server.overTcp(url).replace(/:\d+\//, `:${new URL(proxy.url).port}/`)
  const { app } = await startUserCenter(t, { DATABASE_URL, REDIS_URL: redis.url, AUTH_SECRETS: SECRET })
  const { id } = (await app.accounts.findByUsername('user1')) ?? { id: '' }
  const { credential } = await signIn(app, 'token')
  await server.asAdmin(url, async (client) => {
    // The change waits for this lock, so that its answer is lost however slow this machine is.
    await client.query('SELECT pg_advisory_lock(1)')
    await client.query(`CREATE FUNCTION dawdle() RETURNS trigger AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$
      LANGUAGE plpgsql`)
    await client.query(
      'CREATE TRIGGER dawdles BEFORE UPDATE OF epoch ON accounts FOR EACH ROW EXECUTE FUNCTION dawdle()',
    )
    const refusedChange = t.rejects(app.accounts.setRole(id, 'admin'), { code: 'STORE_UNAVAILABLE' })
    const isAtIt =
      "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    await until(async () => (await client.query(isAtIt)).rowCount === 1)
    proxy.cut()
    await client.query('SELECT pg_advisory_unlock(1)')
    await refusedChange
  })
  const since = ownTime()
  await until(async () => (await userInfo(app, credential)).statusCode !== 200)
  refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
  t.ok(ownTime() - since < 5000, 'and not only when it is looked at once in a while')
  t.match(await app.accounts.find(id), { role: 'admin', epoch: 2 }, 'for it was stored')
})

t.test('production runs on both, seeds nothing, and refuses the accounts of development', async (t) => {
  const production = { NODE_ENV: 'production' }
  const [instance] = await startInstances(t, 1, production)
  t.equal(await instance?.app.accounts.count(), 0)
  const DATABASE_URL = await server.createDatabase()
  await (await startUserCenter(t, { DATABASE_URL })).app.close()
  await t.rejects(startInstances(t, 1, { ...production, DATABASE_URL }), {
    code: 'CONFIG_INVALID',
    message: 'DATABASE_URL holds a development account with its well known password: use another database.',
  })
})

t.test('the command line adds to the server’s database, and says what is wrong with it', async (t) => {
  const DATABASE_URL = await server.createDatabase()
  const run = async (env: Record<string, string>, name = 'carol') => {
    let said = ''
    const out = new Writable({
      write(chunk, _encoding, done) {
        said += chunk
        done()
      },
    })
    const terminal = { env, stdin: Readable.from([Buffer.from('correct horse')]), stdout: out, stderr: out }
    return { status: await main(['account', 'add', name, '--role', 'admin'], terminal), said }
  }
  t.match(await run({ DATABASE_URL }), { status: 0, said: /The account carol was added/ })
  const { app } = await startUserCenter(t, { DATABASE_URL })
  t.match(await app.accounts.verify('carol', 'correct horse'), { role: 'admin' })
  t.same(await run({ DATABASE_URL }), { status: 1, said: 'fastify-identity: This username is taken.\n' })
  t.match(await run({ DATABASE_URL: `${DATABASE_URL}_missing` }), {
    status: 1,
    said: /^fastify-identity: DATABASE_URL: the database cannot be used \([^\n]*does not exist\)\.\n$/,
  })
})

t.test('PostgreSQL crashes and comes back under load: 503 in between, and recovery by itself', async (t) => {
  const [instance] = await startInstances(t, 1)
  if (!instance) return t.fail()
  const { app } = instance
  const origin = `http://127.0.0.1:${await listen(app)}`
  const { credential } = await signIn(app, 'token', ADMIN)
  const seen = { statuses: [] as number[], refusals: new Set<string>(), slowest: 0, load: true }
  const ask = async () => {
    const since = ownTime()
    const response = await fetch(`${origin}/user_info`, { headers: credential })
    const body = await response.text()
    seen.slowest = Math.max(seen.slowest, ownTime() - since)
    seen.statuses.push(response.status)
    if (response.status !== 200) seen.refusals.add(`${response.headers.get('retry-after')} ${body}`)
  }
  const clients = Array.from({ length: 4 }, async () => {
    while (seen.load) await ask()
  })
  const untilSeen = (status: number, more: number) => {
    const count = () => seen.statuses.filter((one) => one === status).length
    const wanted = count() + more
    return until(async () => count() >= wanted)
  }
  await untilSeen(200, 100)
  await server.kill()
  await untilSeen(503, 100)
  refusedByCenter(t, await app.inject({ url: '/readyz' }), 503, 'STORE_UNAVAILABLE')
  for (const mode of MODES)
    refusedByCenter(t, await post(app, `/login_${mode}`, USER), 503, 'STORE_UNAVAILABLE', mode)
  t.equal((await app.inject({ url: '/healthz' })).statusCode, 200)
  const list = await app.inject({ url: '/sign_ins', headers: credential })
  refusedByCenter(
    t,
    list,
    503,
    'STORE_UNAVAILABLE',
    'a list without the API keys would not be the whole list',
  )
  const others = { method: 'DELETE', url: '/sign_ins?except=current', headers: credential } as const
  t.equal((await app.inject(others)).statusCode, 200, 'no account is asked')
  await server.start()
  await untilSeen(200, 100)
  seen.load = false
  await Promise.all(clients)
  t.equal(seen.statuses.at(-1), 200)
  t.same([...new Set(seen.statuses)].sort(), [200, 503])
  t.match([...seen.refusals], [/^1 \{"code":503,"msg":"[^"]+","error":"STORE_UNAVAILABLE"\}$/])
  t.notMatch([...seen.refusals].join(), /postgres|sql|ECONN|terminat|connection|time ?out|stack/i)
  t.ok(seen.slowest < 10_000, `the slowest answer took ${seen.slowest} ms`)
  instance.clock.advance(1)
  t.equal((await app.inject({ url: '/readyz' })).statusCode, 200)
  await signIn(app, 'session')
})

t.test('PostgreSQL frozen: 503 in time, nothing hangs, and recovery by itself', async (t) => {
  const [instance] = await startInstances(t, 1)
  if (!instance) return t.fail()
  const { app } = instance
  server.pause()
  t.teardown(() => server.resume())
  const since = ownTime()
  // Of each no more than the throttle lets through at once.
  const people = [USER, ADMIN, USER, ADMIN]
  const logins = MODES.flatMap((mode) => people.map((who) => post(app, `/login_${mode}`, who)))
  for (const response of await Promise.all(logins)) refusedByCenter(t, response, 503, 'STORE_UNAVAILABLE')
  refusedByCenter(t, await app.inject({ url: '/readyz' }), 503, 'STORE_UNAVAILABLE')
  t.ok(ownTime() - since < 15_000)
  t.equal((await app.inject({ url: '/healthz' })).statusCode, 200)
  server.resume()
  await until(async () => {
    instance.clock.advance(1)
    return (await app.inject({ url: '/readyz' })).statusCode === 200
  })
  await signIn(app, 'cookie')
})
