import Fastify from 'fastify'
import t, { type Test } from 'tap'
import suite from '../../plugins/index.js'
import type { Identity } from '../../plugins/lib/contract.js'
import type { GuardOptions } from '../../plugins/lib/identity/guard.js'
import { signedIn, TestClock } from '../../plugins/lib/testing.js'
import { memoryApiKeys } from '../helpers/memory-api-keys.js'
import { ALICE, accountSource, SECRET } from '../helpers/suite.js'

/** One route behind a guard with these options, and the headers of somebody who is signed in. */
async function start(t: Test, options: GuardOptions) {
  const app = Fastify()
  t.teardown(() => app.close())
  const clock = new TestClock()
  const common = { secrets: [SECRET], clock: clock.read, accounts: accountSource }
  const { source } = memoryApiKeys(() => ALICE)
  await app.register(suite, { ...common, state: { memory: true }, apiKey: { source } })
  let handled = 0
  app.get('/', { preHandler: app.guard(options) }, () => ({ handled: ++handled }))
  const headers = await signedIn(app, ALICE, 'cookie')
  return {
    app,
    clock,
    headers,
    get: (more: object = headers) => app.inject({ url: '/', headers: { ...more } }),
    handled: () => handled,
  }
}

t.test('allow: only the value true lets the caller pass', async (t) => {
  const seen: Identity[] = []
  const allow = (identity: Identity) => seen.push(identity) > 0 && identity.username === 'alice'
  const admitting = await start(t, { allow })
  t.equal((await admitting.get()).statusCode, 200)
  t.match(seen, [{ username: 'alice', role: 'admin', mode: 'cookie' }])
  t.ok(Object.isFrozen(seen[0]))
  for (const answer of [false, 1, 'true', {}, [], () => true, new Boolean(true), null, undefined, NaN]) {
    const { get, handled } = await start(t, { allow: () => answer as boolean })
    const refused = await get()
    t.equal(refused.statusCode, 403, String(answer))
    t.equal(refused.json().code, 'NOT_ALLOWED')
    t.equal(refused.headers['www-authenticate'], undefined, 'another credential would not help')
    t.equal(handled(), 0)
  }
})

t.test('allow: a promise or an error is a 500, and nobody passes', async (t) => {
  const then = { value: (resolve: (value: boolean) => void) => resolve(true) }
  const thenable = Object.defineProperty({}, 'then', then)
  const broken: [string, () => unknown][] = [
    ['resolved', () => Promise.resolve(true)],
    ['rejected', () => Promise.reject(new Error('too late'))],
    ['a thenable', () => thenable],
    [
      'an error',
      () => {
        throw new Error('the secret of the rule')
      },
    ],
    [
      'an error that poses as a refusal',
      () => {
        throw Object.assign(new Error(), { statusCode: 200 })
      },
    ],
    [
      'no error at all',
      () => {
        throw true
      },
    ],
  ]
  for (const [name, allow] of broken) {
    const { get, handled } = await start(t, { allow: allow as () => boolean })
    const answer = await get()
    t.equal(answer.statusCode, 500, name)
    t.equal(answer.json().code, 'OPTION_INVALID', name)
    t.notMatch(answer.body, 'the secret of the rule')
    t.equal(handled(), 0, name)
  }
})

t.test('allow is asked after all else, and never about nobody', async (t) => {
  let asked = 0
  const allow = () => ++asked > 0
  const { get } = await start(t, { allow, role: 'nurse' })
  t.equal((await get()).json().code, 'ROLE_REQUIRED')
  t.equal((await get({})).json().code, 'NOT_SIGNED_IN')
  const optional = await start(t, { allow, optional: true })
  t.equal((await optional.get({})).statusCode, 200, 'an optional guard has nobody to ask about')
  t.equal(asked, 0)
  t.equal((await optional.get()).statusCode, 200)
  t.equal(asked, 1)
})

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

t.test('loginPage: a navigation without a caller is redirected, and comes back', async (t) => {
  const { app, headers, handled } = await start(t, { loginPage: '/login' })
  const url = '/?item=1&next=//evil.example'
  const sent = await app.inject({ url, headers: BROWSER })
  t.equal(sent.statusCode, 303)
  t.equal(sent.headers.location, `/login?next=${encodeURIComponent(url)}`)
  t.equal(sent.headers['cache-control'], 'no-store')
  t.equal(handled(), 0)
  const { search } = new URL(String(sent.headers.location), 'http://own.example')
  t.equal(app.safeNext({ query: Object.fromEntries(new URLSearchParams(search)) }), url)
  t.equal((await app.inject({ url, headers: { ...BROWSER, ...headers } })).statusCode, 200)
})

t.test('loginPage: a dead credential is nobody too', async (t) => {
  const { app, headers, get } = await start(t, { loginPage: '/login?from=shop' })
  await app.signIns.endAll(ALICE.id)
  t.equal((await get({ ...BROWSER, ...headers })).headers.location, '/login?from=shop&next=%2F')
  t.equal((await get({ ...BROWSER, cookie: '__Host-identity=forged' })).statusCode, 303)
})

t.test('loginPage: programs and scripts are refused as before', async (t) => {
  const { app } = await start(t, { loginPage: '/login' })
  const ask = (headers: object, method: 'GET' | 'HEAD' = 'GET') =>
    app.inject({ method, url: '/', headers: { ...headers } })
  for (const headers of [
    {},
    { accept: '*/*' },
    { accept: 'application/json' },
    { ...BROWSER, 'sec-fetch-mode': 'cors' },
    { ...BROWSER, 'sec-fetch-mode': 'websocket', upgrade: 'websocket', connection: 'upgrade' },
    { ...BROWSER, upgrade: 'websocket', connection: 'upgrade' },
  ])
    t.equal((await ask(headers)).statusCode, 401, JSON.stringify(headers))
  t.equal((await ask(BROWSER, 'HEAD')).statusCode, 401)
  t.equal((await ask({ ...BROWSER, 'sec-fetch-mode': 'navigate' })).statusCode, 303)
})

t.test('loginPage: a refused role, age, rule or store is no reason to sign in again', async (t) => {
  for (const [code, options] of [
    ['ROLE_REQUIRED', { role: 'nurse' }],
    ['NOT_ALLOWED', { allow: () => false }],
    ['SIGN_IN_TOO_OLD', { fresh: 60 }],
  ] as const) {
    const { get, headers, clock } = await start(t, { ...options, loginPage: '/login' })
    clock.advance(61)
    const answer = await get({ ...BROWSER, ...headers })
    t.equal(answer.statusCode, 403)
    t.equal(answer.json().code, code)
  }
  const { get, headers, app } = await start(t, { loginPage: '/login' })
  app.stateStore.isLive = () => {
    throw Object.assign(new Error('away'), { statusCode: 503, code: 'STORE_UNAVAILABLE' })
  }
  app.stateStore.revision = () => -1
  t.equal((await get({ ...BROWSER, ...headers })).statusCode, 503)
})

t.test('loginPage: a key without the scope is not sent to a login page', async (t) => {
  const { app, get } = await start(t, { scope: 'read', loginPage: '/login' })
  const key = await signedIn(app, ALICE, 'api_key')
  const answer = await get({ ...BROWSER, ...key })
  t.same([answer.statusCode, answer.json().code], [403, 'SCOPE_REQUIRED'])
})

t.test('loginPage: the login page itself is never redirected to itself', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(suite, { secrets: [SECRET], state: { memory: true }, accounts: accountSource })
  app.get('/login', { preHandler: app.guard({ loginPage: '/login' }) }, () => 'a mistake')
  t.equal((await app.inject({ url: '/login?next=/', headers: BROWSER })).statusCode, 401)
})
