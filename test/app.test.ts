import { once } from 'node:events'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { test } from 'tap'
import userCenter, { serverOptions } from '../app.js'
import { refusedByCenter, signIn, userInfo } from './helpers/http.js'
import { makeDataDir, startUserCenter } from './helpers/user-center.js'

const SECRET = 'Zk3v9QmXr7LwT2bNc8YhFp5sJd6GaV4e'

async function bootError(env: Record<string, string>): Promise<string> {
  const app = Fastify({ ...serverOptions(env), pluginTimeout: 0 })
  app.register(fp(userCenter), { env })
  try {
    await app.ready()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await app.close()
  }
}

test('production does not start on an unsafe environment, and says why in one sentence', async (t) => {
  const DATA_DIR = makeDataDir(t)
  const base = { NODE_ENV: 'production', DATA_DIR, SINGLE_INSTANCE: 'true', AUTH_SECRETS: SECRET }
  const cases: [string, Record<string, string>, RegExp][] = [
    ['no secret', { ...base, AUTH_SECRETS: '' }, /AUTH_SECRETS/],
    ['a short one', { ...base, AUTH_SECRETS: 'short' }, /AUTH_SECRETS/],
    ['a trivial one', { ...base, AUTH_SECRETS: 'a'.repeat(40) }, /AUTH_SECRETS/],
    [
      'a well known one',
      { ...base, AUTH_SECRETS: 'change-me-change-me-change-me-change-me' },
      /AUTH_SECRETS/,
    ],
    ['neither kind of store', { ...base, SINGLE_INSTANCE: '' }, /SINGLE_INSTANCE=true/],
    ['only Redis', { ...base, SINGLE_INSTANCE: '', REDIS_URL: 'redis://127.0.0.1:1' }, /DATABASE_URL/],
    ['TRUST_PROXY=true', { ...base, TRUST_PROXY: 'true' }, /TRUST_PROXY/],
  ]
  for (const [name, env, wanted] of cases) {
    const message = await bootError(env)
    t.match(message, wanted, name)
    t.match(message, /^[^\n]+[.]$/, `${name}: one sentence`)
  }
  t.equal(await bootError(base), '')
})

test('production seeds nothing, and asks for secure cookies', async (t) => {
  const env = { NODE_ENV: 'production', SINGLE_INSTANCE: 'true', AUTH_SECRETS: SECRET }
  const { app } = await startUserCenter(t, env)
  t.equal(await app.accounts.count(), 0)
  const admin = { username: 'first', password: 'a good password', role: 'admin' } as const
  await app.accounts.create(admin)
  const { username, password } = admin
  const { response } = await signIn(app, 'cookie', { username, password })
  t.match(response.cookies[0], { name: '__Host-identity', secure: true })
})

test('development accounts are made on loopback only', async (t) => {
  t.match(await bootError({ DATA_DIR: makeDataDir(t), HOST: '0.0.0.0' }), /^HOST must be a loopback address/)
  const { app, dataDir } = await startUserCenter(t)
  t.equal(await app.accounts.count(), 2)
  await app.close()
  const open = { DATA_DIR: dataDir, HOST: '0.0.0.0' }
  t.match(await bootError(open), /^DATA_DIR holds a development account with its well known password/)
  const production = { ...open, NODE_ENV: 'production', SINGLE_INSTANCE: 'true', AUTH_SECRETS: SECRET }
  t.match(await bootError(production), /^DATA_DIR holds a development account/)
})

test('a server with the well known accounts stops when it listens to other machines', async (t) => {
  const { app } = await startUserCenter(t)
  const closed = once(app.server, 'close')
  await app.listen({ port: 0, host: '0.0.0.0' })
  await closed
  t.notOk(app.server.listening)
})

test('a path that is no address is refused in the contract’s form', async (t) => {
  const { app } = await startUserCenter(t)
  refusedByCenter(t, await app.inject({ url: '/%zz' }), 400, 'BODY_INVALID')
  refusedByCenter(
    t,
    await app.inject({ url: `/sign_ins/${'x'.repeat(300)}`, method: 'DELETE' }),
    414,
    'NOT_FOUND',
  )
})

test('a second process on the same data directory is refused', async (t) => {
  const { dataDir } = await startUserCenter(t)
  t.match(await bootError({ DATA_DIR: dataDir }), /^DATA_DIR/)
})

test('answers carry security headers, and nothing tells what the server is', async (t) => {
  const { app } = await startUserCenter(t)
  const { headers } = await userInfo(app)
  t.match(headers['content-security-policy'], /default-src 'none'/)
  t.equal(headers['x-content-type-options'], 'nosniff')
  t.equal(headers['x-powered-by'], undefined)
})

test('unknown paths and methods are 404 in the contract’s form', async (t) => {
  const { app } = await startUserCenter(t)
  refusedByCenter(t, await app.inject({ url: '/nowhere' }), 404, 'NOT_FOUND')
  refusedByCenter(t, await app.inject({ url: '/login_cookie' }), 404, 'NOT_FOUND', 'GET')
})

test('ALLOWED_ORIGINS may call with credentials, others may not', async (t) => {
  const friend = 'https://app.example.com'
  const { app } = await startUserCenter(t, { ALLOWED_ORIGINS: friend })
  const { response } = await signIn(app, 'cookie', undefined, {
    origin: friend,
    'sec-fetch-site': 'cross-site',
  })
  t.equal(response.headers['access-control-allow-origin'], friend)
  t.equal(response.headers['access-control-allow-credentials'], 'true')
  const foreign = await userInfo(app, { origin: 'https://evil.example' })
  t.not(foreign.headers['access-control-allow-origin'], 'https://evil.example')
  const preflight = { origin: friend, 'access-control-request-method': 'DELETE' }
  const allowed = await app.inject({ method: 'OPTIONS', url: '/sign_ins', headers: preflight })
  t.match(allowed.headers['access-control-allow-methods'], /DELETE/)
})
