import fastifyJwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import type { TokenAuthOptions } from '../../plugins/token-auth.js'
import { keyOf, parts } from '../helpers/forge.js'
import { ALICE, OLD_SECRET, SECRET, START, tokenApp } from '../helpers/token-app.js'

const MINUTE = 60_000

/** The store with some of its operations replaced. */
function storeWith(changes: Partial<StateStore>, store = createMemoryStore()): StateStore {
  return new Proxy(store, {
    get(target, name) {
      // Without a revision, each use of a token asks `isLive`.
      if (name === 'revision') return undefined
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

t.test('a sign-in hands back a pair of tokens, and sets no cookie', async (t) => {
  const { post, store, clock } = await tokenApp(t)
  const answer = await post('/login', { account: ALICE })
  const pair = answer.json()
  t.equal(answer.headers['set-cookie'], undefined)
  t.strictSame(Object.keys(pair).sort(), [
    'expiresIn',
    'refreshExpiresIn',
    'refreshToken',
    'signInId',
    'token',
    'tokenType',
  ])
  t.match(pair, { tokenType: 'Bearer', expiresIn: 900, refreshExpiresIn: 604_800 })
  const record = await store.findSignIn(ALICE.id, pair.signInId, clock.now)
  t.match(record, { mode: 'token', refresh: { counter: 0, keyId: keyOf(SECRET).id } })
  t.equal(record?.absoluteExpiresAt, START + 604_800_000)
  const stored = JSON.stringify(record)
  t.notOk(stored.includes(pair.token) || stored.includes(pair.refreshToken), 'neither token is stored')
})

t.test('an access token says what is documented and nothing else', async (t) => {
  const { login } = await tokenApp(t)
  const account = { ...ALICE, passwordHash: '$argon2id$', email: 'a@example.com' }
  const { token, signInId } = await login(account)
  const { header, payload } = parts(token)
  t.strictSame(header, { alg: 'HS256', typ: 'at+jwt', kid: keyOf(SECRET).id })
  const { jti, gen, ...rest } = payload
  t.match(jti, /^[\w-]{22}$/)
  t.type(gen, 'number')
  t.strictSame(rest, {
    iss: 'fastify-identity',
    aud: 'fastify-identity',
    sub: 'a-1',
    username: 'alice',
    role: 'admin',
    epoch: 0,
    sid: signInId,
    auth_time: START / 1000,
    iat: START / 1000,
    exp: START / 1000 + 900,
  })
})

t.test('the caller of a genuine token is recognised, with what the application added', async (t) => {
  const { login, me } = await tokenApp(t)
  const { token, signInId } = await login(ALICE, { tenant: 't-1', flags: ['x'] })
  t.strictSame((await me(token)).json(), {
    accountId: 'a-1',
    username: 'alice',
    role: 'admin',
    mode: 'token',
    signInId,
    authTime: START,
    factors: [{ method: 'password', at: START }],
    claims: { tenant: 't-1', flags: ['x'] },
  })
})

t.test('without a token nobody is signed in, and another scheme is no credential', async (t) => {
  const { app } = await tokenApp(t)
  for (const headers of [{}, { authorization: 'Basic YTpi' }]) {
    const answer = await app.inject({ url: '/me', headers })
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().code, 'NOT_SIGNED_IN')
    t.equal(answer.headers['www-authenticate'], 'Bearer')
  }
})

t.test('a malformed Authorization header is 400 on a guarded route and at logout', async (t) => {
  const { app, post } = await tokenApp(t)
  const headers = { authorization: 'Bearer  abc' }
  for (const answer of [await app.inject({ url: '/me', headers }), await post('/logout', {}, headers)]) {
    t.equal(answer.statusCode, 400)
    t.equal(answer.json().code, 'CREDENTIAL_AMBIGUOUS')
  }
  t.equal((await post('/login', { account: ALICE }, headers)).statusCode, 200, 'a login needs no credential')
})

t.test('a token ends when its time is reached, and not before', async (t) => {
  const { login, me, clock } = await tokenApp(t)
  const { token } = await login()
  clock.now = START + 15 * MINUTE - 1
  t.equal((await me(token)).statusCode, 200)
  clock.now = START + 15 * MINUTE
  const answer = await me(token)
  t.equal(answer.statusCode, 401)
  t.equal(answer.json().code, 'TOKEN_EXPIRED')
  t.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"')
})

t.test('a token issued by a clock that is ahead is accepted within the tolerance', async (t) => {
  const { login, me, clock } = await tokenApp(t)
  const { token } = await login()
  clock.now = START - 5000
  t.equal((await me(token)).statusCode, 200)
  clock.now = START - 5001
  t.equal((await me(token)).json().code, 'TOKEN_INVALID')
  const strict = await tokenApp(t, { token: { clockTolerance: 0 } })
  const pair = await strict.login()
  t.equal((await strict.me(pair.token)).statusCode, 200)
  strict.clock.now = START - 1
  t.equal((await strict.me(pair.token)).json().code, 'TOKEN_INVALID')
})

t.test('a token whose sign-in was ended is SIGNED_OUT', async (t) => {
  const { login, me, logout, refresh } = await tokenApp(t)
  const mine = await login()
  const other = await login()
  t.same((await logout(mine.token)).json(), { ended: true })
  const answer = await me(mine.token)
  t.equal(answer.statusCode, 401)
  t.equal(answer.json().code, 'SIGNED_OUT')
  t.equal((await refresh(mine.refreshToken)).json().code, 'REFRESH_REFUSED')
  t.equal((await me(other.token)).statusCode, 200, 'the account’s other sign-in lives on')
  t.same((await logout(mine.token)).json(), { ended: true }, 'logging out twice does nothing')
})

t.test('an expired token still signs out', async (t) => {
  const { login, logout, refresh, clock } = await tokenApp(t)
  const { token, refreshToken } = await login()
  clock.now += 20 * MINUTE
  t.same((await logout(token)).json(), { ended: true })
  t.equal((await refresh(refreshToken)).json().code, 'REFRESH_REFUSED')
})

t.test('logging out without a token ends nothing', async (t) => {
  const { login, me, post, calls } = await tokenApp(t)
  const { token } = await login()
  calls.length = 0
  t.same((await post('/logout', {})).json(), { ended: false })
  t.same(calls, [])
  t.equal((await me(token)).statusCode, 200)
})

t.test('there is nothing to take back from the client', async (t) => {
  const after = async (app: FastifyInstance) =>
    void app.post('/forget', async (request, reply) => app.authModes.get('token').clear(request, reply))
  const { app, login } = await tokenApp(t, { after })
  const { token } = await login()
  const headers = { authorization: `Bearer ${token}` }
  const answer = await app.inject({ method: 'POST', url: '/forget', headers })
  t.equal(answer.headers['set-cookie'], undefined)
})

t.test('a new sign-in ends the one that the request’s own token stood for', async (t) => {
  const { login, me, post } = await tokenApp(t)
  const before = await login()
  const headers = { authorization: `Bearer ${before.token}` }
  const after = (await post('/login', { account: ALICE }, headers)).json()
  t.equal((await me(before.token)).json().code, 'SIGNED_OUT')
  t.equal((await me(after.token)).statusCode, 200)
})

t.test('a token of an account whose epoch was raised is SIGNED_OUT', async (t) => {
  const { login, me, store, clock } = await tokenApp(t)
  const { token } = await login()
  await store.raiseEpoch(ALICE.id, 1, null, clock.now + 60 * MINUTE)
  t.equal((await me(token)).json().code, 'SIGNED_OUT')
})

t.test('recognising a token makes no promise where the store needs none', async (t) => {
  const { app, login, calls } = await tokenApp(t)
  const { token } = await login()
  const mode = app.authModes.get('token')
  const request = { headers: { authorization: `Bearer ${token}` }, raw: { rawHeaders: [] } }
  calls.length = 0
  const resolution = mode.resolve(Object.assign(Object.create(null), request))
  t.match(resolution, { kind: 'identity', identity: { accountId: ALICE.id } })
  t.notOk(resolution instanceof Promise)
  t.same(calls, ['isLive'], 'and asks for nothing but whether the sign-in lives')
})

t.test('a store that must be asked is waited for', async (t) => {
  const state = { live: true }
  const { login, me } = await tokenApp(t, { store: storeWith({ isLive: async () => state.live }) })
  const { token } = await login()
  t.equal((await me(token)).statusCode, 200)
  state.live = false
  t.equal((await me(token)).json().code, 'SIGNED_OUT')
})

t.test('a store that cannot answer is 503, never a refusal and never a success', async (t) => {
  const state = { down: false }
  const fail = () => {
    throw new StoreUnavailable()
  }
  const memory = createMemoryStore()
  const changes: Partial<StateStore> = {
    isLive: (ref) => (state.down ? fail() : memory.isLive(ref)),
    endSignIn: async (...args) => (state.down ? fail() : memory.endSignIn(...args)),
    findSignIn: async (...args) => (state.down ? fail() : memory.findSignIn(...args)),
  }
  const store = storeWith(changes, memory)
  const { login, me, logout, refresh, post } = await tokenApp(t, { store })
  const { token, refreshToken } = await login()
  t.equal((await me(token)).statusCode, 200)
  state.down = true
  const answers = [await me(token), await logout(token), await refresh(refreshToken)]
  answers.push(await post('/revoke', { token: refreshToken }))
  for (const answer of answers) {
    t.equal(answer.statusCode, 503)
    t.equal(answer.json().code, 'STORE_UNAVAILABLE')
  }
  state.down = false
  t.equal((await me(token)).statusCode, 200)
})

t.test('a claim that is a secret, or too long to carry, starts no sign-in', async (t) => {
  const { post, login, me, calls } = await tokenApp(t)
  const mine = await login()
  const headers = { authorization: `Bearer ${mine.token}` }
  const cases = [
    ['CLAIM_SENSITIVE', { password: 'x' }],
    ['CLAIM_SENSITIVE', { a: { card_number: '1' } }],
    ['CLAIM_INVALID', { a: 'x'.repeat(2000) }],
    ['CLAIM_INVALID', { a: '字'.repeat(700) }],
  ] as const
  for (const [code, claims] of cases) {
    calls.length = 0
    const answer = await post('/login', { account: ALICE, claims }, headers)
    t.equal(answer.statusCode, 500)
    t.equal(answer.json().code, code)
    t.notOk(calls.includes('addSignIn') || calls.includes('endSignIn'))
  }
  t.equal((await me(mine.token)).statusCode, 200)
})

t.test('the longest that may be carried is recognised', async (t) => {
  const { login, me } = await tokenApp(t, { token: { issuer: 'i'.repeat(256), audience: 'a'.repeat(256) } })
  const account = {
    id: 'i'.repeat(256),
    username: 'u'.repeat(256),
    role: 'r'.repeat(256),
    epoch: 2 ** 53 - 1,
  }
  const { token } = await login(account, { a: 'x'.repeat(650) })
  t.equal((await me(token)).statusCode, 200)
})

t.test('issuer and audience are required in every token', async (t) => {
  const ours = await tokenApp(t, { token: { issuer: 'us', audience: 'shop' } })
  const pair = await ours.login()
  t.match(parts(pair.token).payload, { iss: 'us', aud: 'shop' })
  t.equal((await ours.me(pair.token)).statusCode, 200)
  const others: TokenAuthOptions[] = [{}, { issuer: 'us' }, { audience: 'shop' }]
  for (const token of others) {
    const other = await tokenApp(t, { token, store: ours.store })
    t.equal((await other.me(pair.token)).json().code, 'TOKEN_INVALID')
  }
})

t.test('a lifetime of the sign-in that is shorter cuts the access token off', async (t) => {
  const { login, me, clock } = await tokenApp(t, { token: { accessTtl: 900, refreshTtl: 60 } })
  const { token, expiresIn, refreshExpiresIn } = await login()
  t.equal(expiresIn, 60)
  t.equal(refreshExpiresIn, 60)
  clock.now += MINUTE
  t.equal((await me(token)).json().code, 'TOKEN_EXPIRED')
})

t.test(
  'access tokens live through a rotation of the secrets, and not through the old one’s removal',
  async (t) => {
    const store = createMemoryStore()
    const at = (secrets: string[]) => tokenApp(t, { store, secrets })
    const old = await (await at([OLD_SECRET])).login()
    const both = await at([SECRET, OLD_SECRET])
    const fresh = await both.login()
    t.equal((await both.me(old.token)).statusCode, 200)
    t.equal((await (await at([OLD_SECRET, SECRET])).me(fresh.token)).statusCode, 200)
    const last = await at([SECRET])
    t.equal((await last.me(old.token)).json().code, 'TOKEN_INVALID')
    t.equal((await last.me(fresh.token)).statusCode, 200)
  },
)

t.test('options that are wrong refuse to boot', async (t) => {
  const wrong: [string, object][] = [
    ['issuer', { issuer: '' }],
    ['issuer', { issuer: 1 }],
    ['audience', { audience: ['a'] }],
    ['audience', { audience: 'x'.repeat(257) }],
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '900'].flatMap((value): [string, object][] => [
      ['accessTtl', { accessTtl: value }],
      ['refreshTtl', { refreshTtl: value }],
    ]),
    ...[-1, 1.5, 3601, Number.NaN, '10'].map((value): [string, object] => [
      'refreshGrace',
      { refreshGrace: value },
    ]),
    ...[-1, 0.5, 61, '5'].map((value): [string, object] => ['clockTolerance', { clockTolerance: value }]),
    ['accounts', { accounts: undefined }],
  ]
  for (const [name, token] of wrong) {
    await t.rejects(tokenApp(t, { token }), { code: 'OPTION_INVALID', message: new RegExp(name) })
  }
  await t.resolves(tokenApp(t, { token: { refreshGrace: 0, clockTolerance: 60 } }))
})

t.test('accounts are looked up at app.accountSource where no other source is given', async (t) => {
  const asked: string[] = []
  const accounts = {
    verify: async () => null,
    async find(id: string) {
      asked.push(id)
      return ALICE
    },
  }
  const source = fp(async (app: FastifyInstance) => void app.decorate('accountSource', accounts))
  const before = async (app: FastifyInstance) => void (await app.register(source))
  const { login, refresh } = await tokenApp(t, { before, token: { accounts: undefined } })
  const { refreshToken } = await login()
  t.equal((await refresh(refreshToken)).statusCode, 200)
  t.same(asked, [ALICE.id])
})

const HOST_SECRET = 'the-secret-of-the-host-application'
const hostJwt = async (app: FastifyInstance) => void (await app.register(fastifyJwt, { secret: HOST_SECRET }))
const hostNamespace = async (app: FastifyInstance) =>
  void (await app.register(fastifyJwt, { secret: HOST_SECRET, namespace: 'host' }))

t.test('the application’s own @fastify/jwt is left alone', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const { app, login, me } = await tokenApp(t, { [when]: hostJwt })
    const { token } = await login()
    t.equal((await me(token)).statusCode, 200, when)
    const theirs = app.jwt.sign({ hello: 'world' })
    t.match(app.jwt.verify(theirs), { hello: 'world' })
    t.throws(() => app.jwt.verify(token), 'their verifier does not know our key')
    t.equal((await me(theirs)).json().code, 'TOKEN_INVALID', 'nor ours theirs')
    t.ok(app.hasRequestDecorator('jwtVerify'))
  }
})

t.test('the application’s own namespaces of @fastify/jwt are left alone', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const { app, login, me } = await tokenApp(t, { [when]: hostNamespace })
    const { token } = await login()
    t.equal((await me(token)).statusCode, 200, when)
    t.same(Object.keys(app.jwt), ['host'], 'nothing of ours is among them')
    t.ok(app.hasRequestDecorator('hostJwtVerify'))
  }
})

t.test('without one of its own the application has no jwt decorator', async (t) => {
  const { app } = await tokenApp(t)
  t.notOk(app.hasDecorator('jwt'))
  t.notOk(app.hasRequestDecorator('jwtVerify') || app.hasRequestDecorator('user'))
})
