import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import Libsql from 'libsql'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { SuiteOptions } from '../plugins/index.js'
import { textOf } from './docs/blocks.js'
import { CANNOT_JUDGE, signInAt, startSuite, who } from './helpers/any-version.js'
import { DeviceClient } from './helpers/device-client.js'
import { boundClient } from './helpers/dpop.js'
import { earlierVersions } from './helpers/earlier-versions.js'
import { addTotp, Client, factorApp, PASSWORD, signedIn } from './helpers/factor-app.js'
import { MODES } from './helpers/http.js'
import { startPostgres } from './helpers/postgres-server.js'
import { startRedis } from './helpers/redis-server.js'
import { SECRET, TestClock } from './helpers/suite.js'
import { makeDataDir } from './helpers/user-center.js'

/* What docs/operate.md says of 0.2 on a database that this version has changed, tried with the published 0.2. */

const BACK = textOf('docs/operate.md', 'going-back')
const BACK_EMBEDDED = BACK + textOf('docs/operate.md', 'going-back-embedded')
const ORIGIN = 'https://example.com'

type Start = () => Promise<FastifyInstance>

const [of01, of02] = ['0.1', '0.2'].map((each) => earlierVersions.find(({ version }) => version === each))

/** Starts 0.2 on these options, as often as it is called. */
async function starterOf02(t: Test, options: SuiteOptions): Promise<Start> {
  const plugin = await of02?.publishedPlugins(t)
  return () => startSuite(t, options, plugin)
}

const refusesDatabase = (t: Test, start: Start) =>
  t.rejects(start(), { code: 'CONFIG_INVALID', message: /newer version/ }, '0.2 does not start')

const verifies = async (app: FastifyInstance, username: string, password = PASSWORD) =>
  (await app.accountSource.verify(username, password)) !== null

/** Each instance sees the changes of accounts that the other one makes. */
async function shareAccounts(t: Test, one: FastifyInstance, other: FastifyInstance, username: string) {
  const { id } = await one.accounts.create({ username, password: PASSWORD, role: 'user' })
  t.ok(await verifies(other, username))
  await other.accounts.setPassword(id, 'another password 2')
  t.notOk(await verifies(one, username))
  t.ok(await verifies(one, username, 'another password 2'))
  await one.accounts.setDisabled(id, true)
  t.notOk(await verifies(other, username, 'another password 2'))
  await other.accounts.setDisabled(id, false)
}

/** Alice adds an authenticator app at this version. */
async function checkSecondFactor(t: Test, now: FastifyInstance, old: FastifyInstance, clock: TestClock) {
  await now.accounts.create({ username: 'alice', password: PASSWORD, role: 'user' })
  const { code } = await addTotp(now, clock)
  const browser = new Client(now)
  const pending = await browser.pending()
  t.equal((await browser.post('/finish', { pending, factor: 'totp', code: code() })).statusCode, 200)
  t.equal((await browser.me()).statusCode, 200)
  t.equal((await who(old, { cookie: browser.cookie })).json().code, 'CREDENTIAL_INVALID', 'two factors')
  const other = await signedIn(old)
  t.equal((await who(old, { cookie: other.cookie })).statusCode, 200, 'the password alone signs in at 0.2')
  return other.cookie
}

t.test('PostgreSQL: a running 0.2 goes on; a later one starts only after the way back', async (t) => {
  const [postgres, redis] = [await startPostgres(), await startRedis({ tcp: true })]
  t.teardown(() => postgres.stop())
  t.teardown(() => redis.stop())
  const databaseUrl = await postgres.createDatabase()
  const common = { state: { redisUrl: redis.url }, accounts: { databaseUrl } }
  const clock = new TestClock(Date.now())
  const options = { ...common, secrets: [SECRET], clock: clock.read, secure: false, throttle: {} }
  const startOld = await starterOf02(t, options)
  const old = await startOld()
  const { app: now } = await factorApp(t, common, clock)
  await shareAccounts(t, old, now, 'bob')
  await shareAccounts(t, now, old, 'carol')
  const cookie = await checkSecondFactor(t, now, old, clock)
  await refusesDatabase(t, startOld)
  await now.close()
  const pool = new pg.Pool({ connectionString: databaseUrl })
  await pool.query(BACK)
  await pool.end()
  const again = await startOld()
  t.equal((await who(again, { cookie })).statusCode, 200)
  for (const username of ['bob', 'carol']) t.ok(await verifies(again, username, 'another password 2'))
  await old.close()
  await again.close()
})

/** The options of both versions on an embedded file, and a clock. */
function embedded(t: Test) {
  const dataDir = makeDataDir(t)
  const clock = new TestClock()
  const place = { state: { dataDir }, accounts: { dataDir } }
  const goBack = () => {
    const database = new Libsql(join(dataDir, 'identity.db'))
    database.exec(BACK_EMBEDDED)
    database.close()
  }
  return { options: { ...place, secrets: [SECRET], clock: clock.read, secure: true }, clock, goBack }
}

t.test(
  'an embedded file: 0.2 starts only after the way back, and knows who signed in by password',
  async (t) => {
    const { options, goBack } = embedded(t)
    const startOld = await starterOf02(t, options)
    await (await startOld()).close()
    const now = await startSuite(t, options)
    const given = []
    for (const mode of MODES) {
      const [one, two] = [
        await signInAt(now, mode),
        await signInAt(now, mode, { factors: ['password', 'totp'] }),
      ]
      given.push({ mode, one: one.headers, two: two.headers })
    }
    await now.close()
    await refusesDatabase(t, startOld)
    goBack()
    const old = await startOld()
    for (const { mode, one, two } of given) {
      t.equal((await who(old, one)).statusCode, 200, `${mode}: one factor`)
      t.equal((await who(old, two)).json().code, CANNOT_JUDGE[mode], `${mode}: two factors`)
    }
  },
)

type BoundMode = 'cookie' | 'session'

/** A browser that signs in. One that does not register cannot bind. */
async function browserAt(app: FastifyInstance, clock: TestClock, mode: BoundMode, registers: boolean) {
  const browser = Object.assign(new DeviceClient(app, clock.read), { registers })
  const answer = await browser.post(`/in/${mode}`)
  if (answer.statusCode !== 200) throw new Error(`sign-in: ${answer.body}`)
  return browser
}

/** The same browser, with another server behind the address. */
function movedTo(app: FastifyInstance, clock: TestClock, { jar, bound }: DeviceClient): DeviceClient {
  const moved = new DeviceClient(app, clock.read)
  for (const [name, cookie] of jar) moved.jar.set(name, cookie)
  for (const [name, key] of bound) moved.bound.set(name, key)
  return moved
}

/** Browsers that signed in with device binding, 76 seconds ago. `used`: they have sent a request since then. */
async function browsersOf(t: Test, app: FastifyInstance, clock: TestClock, mode: BoundMode) {
  const bound = await browserAt(app, clock, mode, true)
  const [used, unused] = [await browserAt(app, clock, mode, false), await browserAt(app, clock, mode, false)]
  clock.advance(76)
  for (const browser of [bound, used]) t.equal((await browser.get('/who')).statusCode, 200)
  return { bound, used, unused }
}

async function boundTokenAt(app: FastifyInstance): Promise<string> {
  const client = boundClient(app, undefined, { origin: ORIGIN, login: '/in/token', body: {} })
  return (await client.send('POST', '/in/token', { payload: {} })).json().token
}

t.test('after the way back, 0.2 refuses what was bound, and so does a later upgrade', async (t) => {
  const { options, clock, goBack } = embedded(t)
  const startOld = await starterOf02(t, options)
  const binding = { deviceBinding: { mode: 'on' }, token: { dpop: { origins: [ORIGIN] } } } as const
  const startNow = () => startSuite(t, { ...options, ...binding })
  const now = await startNow()
  const cookie = await browsersOf(t, now, clock, 'cookie')
  const session = await browsersOf(t, now, clock, 'session')
  const token = await boundTokenAt(now)
  await now.close()
  goBack()

  const old = await startOld()
  const codeOf = async (browser: DeviceClient) => (await who(old, { cookie: browser.cookies() })).json().code
  t.equal(await codeOf(cookie.used), undefined, 'a cookie that cannot be bound works')
  for (const each of [cookie.bound, cookie.unused]) t.equal(await codeOf(each), 'CREDENTIAL_INVALID')
  for (const each of Object.values(session)) t.equal(await codeOf(each), 'SIGNED_OUT')
  t.equal((await who(old, { authorization: `Bearer ${token}` })).json().code, 'TOKEN_INVALID')
  await old.close()

  const later = await startNow()
  clock.advance(20 * 60)
  for (const { bound } of [cookie, session]) {
    const answer = await movedTo(later, clock, bound).get('/who')
    t.equal(answer.json().code, 'DEVICE_PROOF_REQUIRED', 'there is no key any more that proves the device')
  }
  t.equal((await who(later, { cookie: cookie.used.cookies() })).statusCode, 200)
})

t.test('0.1 does not open an embedded file of 0.2', async (t) => {
  const dataDir = of02?.dataDirWith(t, 'embedded.db') ?? ''
  const plugin = await of01?.publishedPlugins(t)
  await t.rejects(startSuite(t, { secrets: [SECRET], state: { dataDir } }, plugin), {
    code: 'STORE_UNAVAILABLE',
  })
  await (await startSuite(t, { secrets: [SECRET], state: { dataDir } })).close()
})
