import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { startPostgres } from '../../helpers/postgres-server.js'
import { startRedis } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { ROOT, textOf } from '../blocks.js'
import { fillIn, startInProduction } from '../production.js'
import { atPort, isScripted, notRun, type Page, runShell, startCenter } from '../runners.js'
import { advance, answers, bearer, cookiesOf, enter, SUITE } from '../setups.js'

/** The walk through the modes, with curl, and its answers in their order. */
async function walk(t: Test, text: string, env: Record<string, string> = {}): Promise<unknown> {
  const { port } = await startCenter(t, env)
  const { stdout, stderr, status } = await runShell(atPort(text, port), { cwd: makeDataDir(t) })
  t.equal(status, 0, stderr)
  // The answers stand one behind the other, as curl leaves them.
  return JSON.parse(`[${stdout.replaceAll('}{', '},{')}]`)
}

const WALKED = [
  { code: 200, auth_type: 'cookie' },
  { code: 200, auth_type: 'cookie', data: { username: 'user1', role: 'user' } },
  { code: 200, auth_type: 'cookie' },
  { code: 403, error: 'SIGNED_OUT' },

  { code: 200, auth_type: 'session' },
  { code: 200, auth_type: 'session', data: { username: 'user1', role: 'user' } },
  { code: 200, data: [{ auth_type: 'session', current: true }] },
  { code: 200, data: { ended: 0 } },
  { code: 200, auth_type: 'session' },

  { code: 200, auth_type: 'token', data: { username: 'user1', role: 'user' } },
  { code: 200, auth_type: 'token', data: { token_type: 'Bearer' } },
  { code: 200, auth_type: 'token' },
  { code: 403, error: 'SIGNED_OUT' },
]

function portOf({ server }: FastifyInstance): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the example listens on no port')
  return address.port
}

const page: Page = {
  start: notRun('test/start.test.ts starts it by this very command', isScripted),
  test: notRun('it would run itself', isScripted),
  walk: async (t, text) => {
    t.match(await walk(t, text), WALKED, 'on the embedded stores')
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    t.match(await walk(t, text, { REDIS_URL: redis.url }), WALKED, 'on Redis')
  },
  install: notRun('it is not published: test/package.test.ts packs and installs it', async (t, text) => {
    const { name, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'plugins/package.json'), 'utf8'))
    const [, installed = ''] = /npm install ([\w @/-]+) &&/.exec(text) ?? []
    t.same(installed.split(' ').sort(), [name, ...Object.keys(peerDependencies)].sort())
    const directory = makeDataDir(t)
    const { status, stderr } = await runShell('npm init -y && npm pkg set type=module', { cwd: directory })
    t.equal(status, 0, stderr)
    t.equal(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).type, 'module')
  }),
  'quick-start': {
    before: "process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'",
    check: async (t, app) => {
      const port = portOf(app)
      const { stdout, stderr, status } = await runShell(
        atPort(textOf('README.md', 'quick-start-walk'), port),
        {
          cwd: makeDataDir(t),
        },
      )
      t.equal(status, 0, stderr)
      const [nobody, , cookie, , session, token, , left] = JSON.parse(`[${stdout.replaceAll('}{', '},{')}]`)
      t.match([nobody, left], [{ code: 'NOT_SIGNED_IN' }, { code: 'SIGNED_OUT' }])
      const modes = [cookie, session, token].map(({ username, mode }) => `${username} by ${mode}`)
      t.strictSame(modes, ['alice by cookie', 'alice by session', 'alice by token'])
    },
  },
  'quick-start-run': notRun('tsx would have to be installed', async (t, text) => {
    const { stdout } = await runShell(
      text.replace('npx tsx', '# npx tsx').concat('printf %s "$AUTH_SECRET" | wc -c'),
      {
        cwd: makeDataDir(t),
      },
    )
    t.equal(Number(stdout), 64, 'openssl makes a secret that is long enough')
    t.match(text, /\.ts$/m)
  }),
  'quick-start-walk': async (t) => t.pass('the block of main.ts runs it'),
  guards: {
    before: SUITE,
    check: async (t, app, exports) => {
      const get = async (url: string, headers = {}) => app.inject({ url, headers })
      const [alice, bob] = [await enter(app, 'alice', 'token'), await enter(app, 'bob', 'session')]
      t.equal((await get('/admin', alice)).json().username, 'alice')
      answers(t, await get('/admin', bob), 403, 'ROLE_REQUIRED')
      t.equal((await get('/basket', bob)).json().mode, 'session')
      answers(t, await get('/basket', alice), 401, 'NOT_SIGNED_IN')
      t.strictSame([(await get('/home')).body, (await get('/home', bob)).body], ['you', 'bob'])
      const upload = (headers = {}) =>
        app.inject({
          method: 'POST',
          url: '/upload',
          headers: { 'content-type': 'application/json', ...headers },
          payload: '{',
        })
      answers(t, await upload(), 401, 'NOT_SIGNED_IN')
      answers(t, await upload(bob), 400)
      const leave = () => app.inject({ method: 'DELETE', url: '/me', headers: bob })
      answers(t, await leave(), 200)
      advance(exports, 601)
      answers(t, await leave(), 403, 'SIGN_IN_TOO_OLD')
    },
  },
  session: {
    before: SUITE,
    check: async (t, app) => {
      const put = (headers = {}) => app.inject({ method: 'POST', url: '/cart', headers })
      const visitor = await put()
      t.same(visitor.json(), ['tea'])
      const signedIn = await enter(app, 'bob', 'session', cookiesOf(visitor))
      t.same((await put(signedIn)).json(), ['tea', 'tea'], 'it is carried over at login')
      t.same((await put()).json(), ['tea'], 'and nobody else’s')
    },
  },
  refresh: {
    before: SUITE,
    check: async (t, app) => {
      const { issued } = (await app.inject({ method: 'POST', url: '/as/bob/token' })).json()
      const cookie = await enter(app, 'bob', 'cookie')
      const renew = (payload: object) => app.inject({ method: 'POST', url: '/refresh', payload })
      const { token } = (await renew({ refreshToken: issued.refreshToken })).json()
      answers(t, await renew({ refreshToken: 'junk' }), 401, 'REFRESH_REFUSED')
      const list = await app.inject({ url: '/sign_ins', headers: bearer(token) })
      t.same(
        list
          .json()
          .map(({ mode }: { mode: string }) => mode)
          .sort(),
        ['cookie', 'token'],
      )
      const end = await app.inject({ method: 'DELETE', url: '/sign_ins', headers: bearer(token) })
      t.same(end.json(), { ended: 1 })
      answers(t, await app.inject({ url: '/sign_ins', headers: cookie }), 401, 'SIGNED_OUT')
    },
  },
  'own-mode': {
    before: SUITE,
    after: "export const name: ModeName = 'api-key'",
    check: async (t, _app, { name }) => t.equal(name, 'api-key', 'it is the name of a mode'),
  },
  throttling: {
    before: SUITE,
    check: async (t, app) => {
      const login = (password: string) =>
        app.inject({ method: 'POST', url: '/login', payload: { username: 'bob', password } })
      answers(t, await login('wrong'), 401, 'CREDENTIALS_REFUSED')
      t.match((await login('correct horse')).headers['set-cookie'], [/^session=/])
      for (let attempt = 0; attempt < 10; attempt++) answers(t, await login('wrong'), 401)
      answers(t, await login('correct horse'), 429, 'THROTTLED')
    },
  },
  production: (t, text) => startInProduction(t, text),
  'production-stores': async (t, text) => {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const postgres = await startPostgres()
    t.teardown(() => postgres.stop())
    const cwd = makeDataDir(t)
    const AUTH_SECRETS = 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6'
    const DATABASE_URL = await postgres.createDatabase()
    writeFileSync(join(cwd, '.env'), fillIn({ AUTH_SECRETS, REDIS_URL: redis.url, DATABASE_URL }))
    const { stdout } = await startInProduction(t, text, { cwd })
    t.match(stdout, /^ok +REDIS_URL/m)
    t.match(stdout, /^ok +DATABASE_URL/m)
  },
  'token-key': async (t, text) => {
    const cwd = makeDataDir(t)
    const { stdout, stderr, status } = await runShell(`${text}\necho "$TOKEN_PRIVATE_KEY"`, { cwd })
    t.equal(status, 0, stderr)
    const TOKEN_PRIVATE_KEY = join(cwd, stdout.trim())
    const { app } = await startCenter(t, { TOKEN_PRIVATE_KEY })
    t.match((await app.inject('/.well-known/jwks.json')).json(), { keys: [{ alg: 'EdDSA', crv: 'Ed25519' }] })
  },
  examples: notRun('the tests in test/examples/ run each of them', async (t, text) => {
    await isScripted(t, text)
    for (const [, name = ''] of text.matchAll(/example:(\w+)/g))
      t.ok(existsSync(join(ROOT, `examples/${name}.ts`)), name)
  }),
}

export default page
