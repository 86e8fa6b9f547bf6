import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, type InjectOptions } from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import suite, { type AccountSource, type Clock, type StoresOptions } from '../plugins/index.js'
import { credentialCookies, post, userInfo } from './helpers/http.js'
import { startRedis } from './helpers/redis-server.js'
import { makeDataDir, startUserCenter } from './helpers/user-center.js'

/*
 * Nobody is signed out by an upgrade. test/fixtures has, for each earlier version, what it left in its stores, the
 * credentials that its clients hold, and its plugins as they were published. fixtures/make.mjs made them.
 */

interface Held {
  readonly name: string
  readonly headers: Record<string, string>
  readonly refresh?: string
  readonly expect: { readonly status: number; readonly username?: string; readonly error?: string }
}

interface Left {
  readonly madeAt: number
  readonly secret: string
  readonly carts: { readonly visitor: string; readonly alice: string }
  readonly credentials: readonly Held[]
}

const fixture = (name: string) => join('test/fixtures/0.1', name)
const readJson = (name: string) => JSON.parse(readFileSync(fixture(name), 'utf8'))
const left: { readonly embedded: Left; readonly scaled: Left } = readJson('credentials.json')

function dataDirWith(t: Test, database: string): string {
  const dataDir = makeDataDir(t)
  copyFileSync(fixture(database), join(dataDir, 'identity.db'))
  return dataDir
}

async function restoredRedis(t: Test): Promise<string> {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  for (const { key, ttl, dump } of readJson('redis.json'))
    await redis.restore(key, ttl, Buffer.from(dump, 'base64'))
  await redis.quit()
  return server.url
}

async function checkCredential(
  t: Test,
  app: FastifyInstance,
  { name, headers, expect }: Held,
): Promise<void> {
  const response = await userInfo(app, headers)
  t.equal(response.statusCode, expect.status, name)
  if (expect.username) t.equal(response.json().data.username, expect.username, name)
  else t.equal(response.json().error, expect.error, name)
}

async function checkRefresh(t: Test, app: FastifyInstance, { name, refresh, expect }: Held): Promise<void> {
  const response = await post(app, '/refresh_token', { refresh_token: refresh })
  t.equal(response.statusCode, expect.status === 200 ? 200 : 401, `${name}: refreshed`)
}

const LOGINS: readonly [username: string, password: string, status: number][] = [
  ['user1', 'user123', 200],
  ['Zoë', 'long enough, 3 letters', 200],
  ['disabled', 'long enough, 8 letters', 401],
  ['promoted', 'long enough, 8 letters', 200],
  ['changed', 'long enough, 7 letters', 401],
  ['changed', 'another password 2', 200],
]

async function checkUserCenter(t: Test, app: FastifyInstance, credentials: readonly Held[]): Promise<void> {
  for (const held of credentials) await checkCredential(t, app, held)
  for (const held of credentials) if (held.refresh) await checkRefresh(t, app, held)
  for (const [username, password, status] of LOGINS) {
    const response = await post(app, '/login_session', { username, password })
    t.equal(response.statusCode, status, `${username} signs in`)
  }
  for (const mode of ['cookie', 'session', 'token']) {
    const { headers } = credentials.find(({ name }) => name === `live ${mode}`) ?? { headers: {} }
    t.equal((await app.inject({ method: 'POST', url: `/logout_${mode}`, headers })).statusCode, 200)
    t.equal((await userInfo(app, headers)).json().error, 'SIGNED_OUT', `${mode}: signs out`)
  }
}

const ALICE = { id: 'alice', username: 'alice', role: 'user' }
const accounts: AccountSource = { verify: async () => ALICE, find: async () => ALICE }

/** An application on a version of the suite: its own, unless another one is given. */
async function startSuite(
  t: Test,
  state: StoresOptions,
  clock: Clock,
  plugin: FastifyPluginAsync = suiteOf(),
  secret = left.scaled.secret,
) {
  const app = Fastify({ pluginTimeout: 0 })
  t.teardown(() => app.close())
  await app.register(plugin, {
    secrets: [secret],
    clock,
    state,
    accounts,
    secure: false,
  } as object)
  app.get('/who', { preHandler: app.guard() }, (request) => request.identity)
  app.post<{ Body: { refreshToken?: string } }>('/step_up', { preHandler: app.guard() }, (request) =>
    request.stepUp(['totp'], request.body),
  )
  app.get('/cart', { onRequest: app.useSession }, (request) => ({
    cart: Reflect.get(request.session, 'cart'),
  }))
  app.post<{ Params: { mode: 'cookie' | 'session' | 'token' } }>('/in/:mode', (request) => {
    return request.signIn(request.params.mode, ALICE)
  })
  app.post<{ Params: { mode: string } }>(
    '/out/:mode',
    { preHandler: app.csrf.sameOrigin },
    async (request) => {
      return { out: await request.signOut(request.params.mode as 'cookie') }
    },
  )
  await app.ready()
  return app
}

function suiteOf(): FastifyPluginAsync {
  return suite as unknown as FastifyPluginAsync
}

async function checkCarts(t: Test, app: FastifyInstance, { carts }: Left): Promise<void> {
  for (const cookie of [carts.visitor, carts.alice]) {
    const response = await app.inject({ url: '/cart', headers: { cookie } })
    t.strictSame(response.json().cart, ['tea', 'honey'])
  }
  t.equal((await app.inject({ url: '/who', headers: { cookie: carts.alice } })).json().username, 'alice')
}

t.test('an embedded file of 0.1: who was signed in is, and who was signed out is not', async (t) => {
  const { madeAt, secret, credentials } = left.embedded
  const env = { DATA_DIR: dataDirWith(t, 'embedded.db'), AUTH_SECRETS: secret }
  const clock = Object.assign(() => madeAt, { advance() {} })
  const { app } = await startUserCenter(t, env, clock)
  await checkUserCenter(t, app, credentials)
})

t.test('an embedded file of 0.1: session data is still there', async (t) => {
  const dataDir = dataDirWith(t, 'embedded.db')
  const app = await startSuite(t, { dataDir }, () => left.embedded.madeAt)
  await checkCarts(t, app, left.embedded)
})

t.test('a Redis of 0.1: who was signed in is, and who was signed out is not', async (t) => {
  const { madeAt, secret, credentials } = left.scaled
  const redisUrl = await restoredRedis(t)
  const env = { DATA_DIR: dataDirWith(t, 'scaled.db'), AUTH_SECRETS: secret, REDIS_URL: redisUrl }
  const clock = Object.assign(() => madeAt, { advance() {} })
  const { app } = await startUserCenter(t, env, clock)
  await checkUserCenter(t, app, credentials)
})

t.test('a Redis of 0.1: session data is still there', async (t) => {
  const clock = () => left.scaled.madeAt
  const state = { redisUrl: await restoredRedis(t), referenceClock: clock }
  const app = await startSuite(t, state, clock)
  await checkCarts(t, app, left.scaled)
})

/** Its records have no seal, which a step-up would add to what anybody may have written. */
async function checkFactors(t: Test, app: FastifyInstance, { credentials }: Left): Promise<void> {
  for (const mode of ['cookie', 'session', 'token']) {
    const held = credentials.find(({ name }) => name === `live ${mode}`)
    const headers = held?.headers ?? {}
    const who = () => app.inject({ url: '/who', headers })
    const { factors, authTime } = (await who()).json()
    t.strictSame(factors, [{ method: 'password', at: authTime }], mode)
    const payload = { refreshToken: held?.refresh }
    const answer = await app.inject({ method: 'POST', url: '/step_up', headers, payload })
    t.equal(answer.statusCode, 401, `${mode}: its person signs in again`)
    t.equal(answer.headers['set-cookie'], undefined)
    t.strictSame((await who()).json().factors, factors)
  }
}

t.test('a sign-in of 0.1 counts as a password at its time, and cannot be stepped up', async (t) => {
  const embedded = await startSuite(
    t,
    { dataDir: dataDirWith(t, 'embedded.db') },
    () => left.embedded.madeAt,
    suiteOf(),
    left.embedded.secret,
  )
  await checkFactors(t, embedded, left.embedded)
  const clock = () => left.scaled.madeAt
  const scaled = await startSuite(t, { redisUrl: await restoredRedis(t), referenceClock: clock }, clock)
  await checkFactors(t, scaled, left.scaled)
})

/** The plugins of 0.1 as they were published. They find their packages in this checkout. */
async function publishedPlugins(t: Test): Promise<FastifyPluginAsync> {
  const directory = resolve('.tap', `published-0.1-${process.pid}`)
  mkdirSync(directory, { recursive: true })
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { status } = spawnSync('tar', ['-xzf', fixture('plugins.tar.gz'), '-C', directory])
  t.equal(status, 0)
  const { default: plugin } = await import(pathToFileURL(join(directory, 'dist/plugins/index.js')).href)
  return plugin
}

type Mode = 'cookie' | 'session' | 'token'

async function signInAt(app: FastifyInstance, mode: Mode): Promise<InjectOptions['headers'] & object> {
  const response = await app.inject({ method: 'POST', url: `/in/${mode}` })
  if (mode === 'token') return { authorization: `Bearer ${response.json().token}` }
  const [cookie] = credentialCookies(response)
  return { cookie: `${cookie?.name}=${cookie?.value}` }
}

t.test('a rolling deploy: 0.1 and this version serve one Redis', async (t) => {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const state = { redisUrl: server.url }
  const old = await startSuite(t, state, Date.now, await publishedPlugins(t))
  const now = await startSuite(t, state, Date.now)
  for (const [from, to] of [
    [old, now],
    [now, old],
  ] as const) {
    for (const mode of ['cookie', 'session', 'token'] as const) {
      const headers = await signInAt(from, mode)
      const name = `${mode}, signed in by ${from === old ? '0.1' : 'this version'}`
      t.equal((await to.inject({ url: '/who', headers })).statusCode, 200, `${name}: recognised by the other`)
      await to.inject({ method: 'POST', url: `/out/${mode}`, headers })
      await t.resolves(refusedSoon(from, headers), `${name}: signed out at the other`)
    }
  }
})

t.test('a sign-in that this version has bound is whole for 0.1 on the same Redis', async (t) => {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const state = { redisUrl: server.url }
  const old = await startSuite(t, state, Date.now, await publishedPlugins(t))
  const now = await startSuite(t, state, Date.now)
  const headers = await signInAt(now, 'session')
  const { signInId } = (await now.inject({ url: '/who', headers })).json()
  await now.signIns.settleBinding('alice', signInId, 'bound')
  t.equal((await old.inject({ url: '/who', headers })).statusCode, 200)
  t.equal((await old.signIns.list('alice'))[0]?.id, signInId)
  const ref = { accountId: 'alice', signInId, epoch: 0, generation: 0 }
  t.equal(await old.signIns.touch(ref, 3600), true)
  t.equal((await now.signIns.find('alice', signInId))?.binding, 'bound', 'it changes no binding')
  await old.inject({ method: 'POST', url: '/out/session', headers })
  await t.resolves(refusedSoon(now, headers))
})

/** Resolves when the instance refuses the credential. The promise is a second; the test gives it more. */
async function refusedSoon(app: FastifyInstance, headers: InjectOptions['headers']): Promise<void> {
  const deadline = Date.now() + 30_000
  while ((await app.inject({ url: '/who', headers })).statusCode === 200) {
    if (Date.now() > deadline) throw new Error('it is still accepted')
    await new Promise((again) => setTimeout(again, 10))
  }
}
