import Fastify from 'fastify'
import t from 'tap'
import deviceBinding from '../../plugins/device-binding.js'
import suite, { type SuiteOptions } from '../../plugins/index.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { COOKIES, deviceApp, proofOf } from '../helpers/device-app.js'
import { DeviceClient, offersOf } from '../helpers/device-client.js'
import {
  ALICE,
  accountSource,
  buildSuite,
  cookieMode,
  NEXT_SECRET,
  refused,
  SECRET,
  START,
  sessionMode,
  TestClock,
  tokenMode,
} from '../helpers/suite.js'

const MODES = ['cookie', 'session'] as const
const MINUTE = 60

for (const mode of MODES) {
  t.test(
    `${mode}: rotating the secrets in three steps keeps bound sign-ins bound, and signed in`,
    async (t) => {
      const shared = { store: createMemoryStore(), clock: new TestClock() }
      const deploys = [[SECRET], [SECRET, NEXT_SECRET], [NEXT_SECRET, SECRET], [NEXT_SECRET]]
      const lives = { cookie: { ttl: 7200 } }
      const apps = []
      for (const secrets of deploys)
        apps.push(await deviceApp(t, { ...shared, ...lives, identity: { secrets } }))
      const [first] = apps
      if (!first) return
      const client = await first.bound(mode)
      const other = first.browser()
      other.registers = false
      await first.signIn(other, mode)
      for (const { app } of apps) {
        for (const browser of [client, other]) Reflect.set(browser, 'app', app)
        for (let times = 0; times < 6; times++) {
          shared.clock.advance(15 * MINUTE)
          t.equal((await client.get('/me')).statusCode, 200)
          t.equal((await other.get('/me')).statusCode, 200)
        }
      }
      const cookie =
        client
          .cookies()
          .split('; ')
          .find((pair) => !pair.includes('_proof')) ?? ''
      const last = apps.at(-1) ?? first
      refused(t, await last.withCookies(cookie), 403, 'DEVICE_PROOF_REQUIRED')
      t.notOk(client.log.some((line) => line.endsWith('401')))
    },
  )

  t.test(`${mode}: a sign-out clears the site's storage if the application wants that`, async (t) => {
    for (const clearSiteData of [true, false]) {
      const { bound, app } = await deviceApp(t, { device: { clearSiteData } })
      const client = await bound(mode)
      const answer = await client.post(`/sign_out/${mode}`)
      t.equal(answer.headers['clear-site-data'], clearSiteData ? '"storage"' : undefined)
      const login = await app.inject({
        method: 'POST',
        url: `/sign_in/${mode}`,
        payload: { account: ALICE, options: {} },
      })
      t.equal(login.headers['clear-site-data'], undefined)
    }
  })
}

t.test('the option sets the path of the routes', async (t) => {
  const { app, signIn, browser } = await deviceApp(t, { device: { path: '/auth/bind' } })
  const client = browser()
  const [offer] = offersOf(await signIn(client, 'cookie'))
  t.equal(offer?.path, '/auth/bind/register')
  t.strictSame(client.log, ['/auth/bind/register 200'])
  t.equal((await app.inject({ method: 'POST', url: '/device/register' })).statusCode, 404)
})

/** The suite as one plugin. */
async function suiteApp(options: Partial<SuiteOptions>) {
  const app = Fastify()
  t.teardown(() => app.close())
  const clock = new TestClock(START)
  await app.register(suite, {
    secrets: [SECRET],
    state: { memory: true },
    accounts: accountSource,
    clock: clock.read,
    ...options,
  })
  app.post('/sign_in/cookie', (request) => request.signIn('cookie', ALICE))
  app.get('/me', { preHandler: app.guard() }, (request) => request.identity)
  await app.ready()
  return { app, clock }
}

t.test('the suite binds sign-ins with one option, and does not without it', async (t) => {
  const { app, clock } = await suiteApp({ deviceBinding: { mode: 'on' } })
  const client = new DeviceClient(app, clock.read)
  await client.post('/sign_in/cookie')
  t.ok(client.has(proofOf('cookie')))
  const plain = await suiteApp({})
  const login = await plain.app.inject({ method: 'POST', url: '/sign_in/cookie' })
  t.equal(login.headers['secure-session-registration'], undefined)
  t.strictSame(
    login.cookies.map(({ name }) => name),
    [COOKIES.cookie],
  )
  t.notOk(plain.app.hasDecorator('deviceBinding'))
})

t.test('if it would do nothing, the application does not start', async (t) => {
  const refusals: Partial<SuiteOptions>[] = [{ secure: false }, { modes: ['token'] }]
  for (const options of refusals) {
    await t.rejects(suiteApp({ ...options, deviceBinding: { mode: 'on' } }), {
      code: 'OPTION_INVALID',
      message: /deviceBinding would do nothing/,
    })
  }
  const device = async (app: Parameters<ReturnType<typeof cookieMode>>[0]) =>
    void (await app.register(deviceBinding, { mode: 'on' }))
  await t.rejects(
    buildSuite(t, { modes: [cookieMode({ secure: true }), device] }),
    { code: 'OPTION_INVALID' },
    'too late',
  )
  const store = createMemoryStore()
  Reflect.set(store, 'settleBinding', undefined)
  await t.rejects(buildSuite(t, { store, modes: [device, cookieMode({ secure: true })] }), {
    message: /wants a store that has settleBinding/,
  })
})

t.test(
  'a mode without secure cookies beside one that has them is not bound, and a token never',
  async (t) => {
    const device = async (app: Parameters<ReturnType<typeof cookieMode>>[0]) =>
      void (await app.register(deviceBinding, { mode: 'required' }))
    const modes = [device, tokenMode(), sessionMode(), cookieMode({ secure: true })]
    const { signIn, me, clock } = await buildSuite(t, { modes })
    for (const mode of ['token', 'session']) {
      const answer = await signIn(mode)
      t.equal(answer.headers['secure-session-registration'], undefined)
      const { token } = answer.json().issued
      const [cookie] = answer.cookies
      clock.advance(80)
      const headers: Record<string, string> = token
        ? { authorization: `Bearer ${token}` }
        : { cookie: `${cookie?.name}=${cookie?.value}` }
      t.equal((await me(headers)).statusCode, 200)
    }
  },
)

t.test('the names of the cookies must not meet', async (t) => {
  const device = async (app: Parameters<ReturnType<typeof cookieMode>>[0]) =>
    void (await app.register(deviceBinding, { mode: 'on' }))
  const modes = [
    device,
    sessionMode({ secure: true, name: 'a' }),
    cookieMode({ secure: true, name: 'a_proof' }),
  ]
  await t.rejects(buildSuite(t, { modes }), { code: 'OPTION_INVALID' })
})
