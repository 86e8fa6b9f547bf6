import Fastify from 'fastify'
import t, { type Test } from 'tap'
import suite, { type SuiteOptions } from '../../../plugins/index.js'
import { signedIn, TestClock } from '../../../plugins/lib/testing.js'
import { memoryApiKeys } from '../../helpers/memory-api-keys.js'
import { accountSource } from '../../helpers/suite.js'

const ANN = { id: '1', username: 'ann', role: 'user' }

async function start(t: Test, options: Partial<SuiteOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  const clock = new TestClock(Date.UTC(2026, 0, 1))
  const secrets = ['a-secret-of-this-test-0123456789abcdef']
  await app.register(suite, {
    secrets,
    clock: clock.read,
    state: { memory: true },
    accounts: accountSource,
    ...options,
  })
  app.get('/me', { preHandler: app.guard() }, ({ identity }) => identity)
  app.post('/me', { preHandler: app.guard({ fresh: true }) }, ({ identity }) => identity)
  return { app, clock }
}

for (const secure of [true, false]) {
  for (const mode of ['token', 'session', 'cookie'] as const) {
    t.test(`headers of a sign-in by ${mode}, secure: ${secure}`, async (t) => {
      const { app, clock } = await start(t, { secure })
      const headers = await signedIn(app, ANN, mode)
      t.same(Object.keys(headers), [mode === 'token' ? 'authorization' : 'cookie'])
      const me = await app.inject({ url: '/me', headers })
      t.match(me.json(), {
        accountId: '1',
        username: 'ann',
        role: 'user',
        mode,
        authTime: clock.now,
      })
      t.equal((await app.inject({ method: 'POST', url: '/me', headers })).statusCode, 200)
      t.equal((await app.signIns.list('1')).length, 1, 'it is on record')
      clock.advance(601)
      t.equal((await app.inject({ method: 'POST', url: '/me', headers })).json().code, 'SIGN_IN_TOO_OLD')
      await app.signIns.endAll('1')
      t.equal((await app.inject({ url: '/me', headers })).json().code, 'SIGNED_OUT')
    })
  }
}

t.test('headers of an API key, with its scopes', async (t) => {
  const { source } = memoryApiKeys(() => ANN)
  const { app } = await start(t, { apiKey: { source } })
  app.get('/report', { preHandler: app.guard({ scope: 'read' }) }, () => 'in')
  const headers = await signedIn(app, ANN, 'api_key', { apiKey: { scopes: ['read'] } })
  t.same(Object.keys(headers), ['authorization'])
  t.equal((await app.inject({ url: '/me', headers })).json().mode, 'api_key')
  t.equal((await app.inject({ url: '/report', headers })).body, 'in')
  const none = await signedIn(app, ANN, 'api_key')
  t.equal((await app.inject({ url: '/report', headers: none })).json().code, 'SCOPE_REQUIRED')
})

t.test('claims of the sign-in may be named', async (t) => {
  const { app } = await start(t)
  const headers = await signedIn(app, ANN, 'token', { claims: { team: 'billing' } })
  t.same((await app.inject({ url: '/me', headers })).json().claims, { team: 'billing' })
})

t.test('the mode is the first built-in one that is registered', async (t) => {
  for (const mode of ['token', 'session', 'cookie'] as const) {
    const { app } = await start(t, { modes: mode === 'token' ? ['cookie', 'token'] : [mode] })
    t.equal((await app.inject({ url: '/me', headers: await signedIn(app, ANN) })).json().mode, mode)
  }
})

t.test('people do not share headers, and signing one in signs nobody else out', async (t) => {
  const { app } = await start(t)
  const [ann, ben] = await Promise.all([
    signedIn(app, ANN, 'session'),
    signedIn(app, { ...ANN, id: '2', username: 'ben' }, 'session'),
  ])
  t.equal((await app.inject({ url: '/me', headers: ann })).json().username, 'ann')
  t.equal((await app.inject({ url: '/me', headers: ben })).json().username, 'ben')
})

t.test('what cannot be signed in is refused by its code', async (t) => {
  const { app } = await start(t, { modes: ['cookie'] })
  await t.rejects(signedIn(app, ANN, 'token'), { code: 'MODE_UNKNOWN' })
  await t.rejects(signedIn(app, { ...ANN, role: '' }), { code: 'OPTION_INVALID' })
  await app.signIns.raiseEpoch({ id: '1', epoch: 3 })
  await t.rejects(signedIn(app, ANN), { code: 'EPOCH_PASSED' })
  t.same(await app.signIns.list('1'), [])
})

t.test('an application adds no route for it', async (t) => {
  const { app } = await start(t)
  const before = app.printRoutes()
  await signedIn(app, ANN)
  t.equal(app.printRoutes(), before)
})
