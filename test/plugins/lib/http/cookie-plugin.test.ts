import fastifyCookie, { type FastifyCookieOptions } from '@fastify/cookie'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import suite from '../../../../plugins/index.js'
import { ALICE, accountSource, SECRET, TestClock } from '../../../helpers/suite.js'

const PARSE_OPTIONS = { domain: 'example.com', path: '/app', maxAge: 5, sameSite: 'none' } as const
const OWN: FastifyCookieOptions = { secret: 'the application’s own', parseOptions: PARSE_OPTIONS }

const registerOwn = async (app: FastifyInstance) => void (await app.register(fastifyCookie, OWN))

async function registerSuite(app: FastifyInstance) {
  const state = { memory: true } as const
  const clock = new TestClock().read
  await app.register(suite, { secrets: [SECRET], state, accounts: accountSource, clock, throttle: {} })
}

function addRoutes(app: FastifyInstance) {
  app.post<{ Params: { mode: 'cookie' | 'session' } }>('/login/:mode', async (request, reply) => {
    if (app.hasPlugin('@fastify/cookie')) reply.setCookie('theme', 'dark', { signed: true })
    await app.throttle.signIn(request, request.params.mode, ALICE)
    return { came: request.cookies }
  })
  app.get('/me', { preHandler: app.guard() }, async (request) => request.identity.mode)
}

async function start(t: Test, ...steps: ((app: FastifyInstance) => Promise<void>)[]) {
  const app = Fastify()
  t.teardown(() => app.close())
  for (const step of steps) await step(app)
  addRoutes(app)
  await app.ready()
  return app
}

const REST = 'Path=/; HttpOnly; Secure; SameSite=Lax'

for (const [when, steps] of [
  ['before the suite', [registerOwn, registerSuite]],
  ['after it', [registerSuite, registerOwn]],
] as const) {
  test(`an application may register @fastify/cookie ${when}: its cookies and ours keep to themselves`, async (t) => {
    const app = await start(t, ...steps)
    for (const mode of ['cookie', 'session']) {
      const answer = await app.inject({ method: 'POST', url: `/login/${mode}`, headers: { cookie: 'a=%31' } })
      t.equal(answer.statusCode, 200)
      t.strictSame(answer.json().came, { a: '1' }, 'it parses what came')
      const lines = [answer.headers['set-cookie']].flat().map(String)
      const theme = lines.filter((line) => line.startsWith('theme=dark.'))
      t.strictSame(
        theme.map((line) => line.replace(/^[^;]*/, '')),
        ['; Max-Age=5; Domain=example.com; Path=/app; SameSite=None'],
      )
      const ours = lines.filter((line) => !theme.includes(line))
      const [credential = '', device = ''] = ours
      t.equal(ours.length, 2)
      t.match(credential, mode === 'cookie' ? /^__Host-identity=/ : /^__Host-session=/, 'before the device')
      t.match(device, /^__Host-device=/)
      for (const line of ours) t.equal(line.replace(/^[^;]*; (Max-Age=\d+; )?/, ''), REST)
      const [pair = ''] = credential.split(';')
      t.equal((await app.inject({ url: '/me', headers: { cookie: pair } })).body, mode)
    }
  })
}

test('where the application has none, neither has it after the suite', async (t) => {
  const app = await start(t, registerSuite)
  const answer = await app.inject({ method: 'POST', url: '/login/cookie', headers: { cookie: 'a=1' } })
  t.strictSame(answer.json(), {}, 'cookies are not parsed for it')
  t.strictSame(
    answer.cookies.map(({ name }) => name),
    ['__Host-identity', '__Host-device'],
  )
  t.notOk(app.hasPlugin('@fastify/cookie'))
  t.notOk(app.hasDecorator('serializeCookie'))
})

test('an application may register it for a part of itself', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await registerSuite(app)
  await app.register(async (part) => {
    await registerOwn(part)
    addRoutes(part)
  })
  const answer = await app.inject({ method: 'POST', url: '/login/session', headers: { cookie: 'a=1' } })
  t.strictSame(answer.json().came, { a: '1' })
  t.strictSame(answer.cookies.map(({ name }) => name).sort(), ['__Host-device', '__Host-session', 'theme'])
})
