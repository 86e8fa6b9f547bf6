import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { type Test, test } from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { hashOf, KeyFormat } from '../../plugins/lib/api-key/format.js'
import type { Account } from '../../plugins/lib/contract.js'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import {
  ADMIN,
  type Credential,
  listen,
  MODES,
  post,
  refusedByCenter,
  sendRaw,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const DAY = 24 * 3600

interface Made {
  readonly id: string
  readonly key: string
  readonly headers: Credential
}

async function start(t: Test, env: Record<string, string> = {}) {
  const center = await startUserCenter(t, env)
  const { app } = center
  const { credential } = await signIn(app, 'cookie')
  const make = (body: object = {}, headers: Credential = credential) =>
    post(app, '/api_keys', { name: 'deploy', ...body }, headers)
  const makeKey = async (body: object = {}, headers: Credential = credential): Promise<Made> => {
    const answer = await make(body, headers)
    if (answer.statusCode !== 201) throw new Error(answer.body)
    const { id, key } = answer.json().data
    return { id, key, headers: { authorization: `Bearer ${key}` } }
  }
  const list = async (headers = credential) => (await app.inject({ url: '/api_keys', headers })).json().data
  const end = (id: string, headers = credential) =>
    app.inject({ method: 'DELETE', url: `/api_keys/${id}`, headers })
  const signIns = async (headers = credential) =>
    (await app.inject({ url: '/sign_ins', headers })).json().data
  return { ...center, credential, make, makeKey, list, end, signIns }
}

test('POST /api_keys makes a key and shows it once; GET lists, DELETE ends', async (t) => {
  const { app, clock, make, list, end } = await start(t)
  const now = clock()
  const answer = await make({ expires_in: 60, scopes: ['read'] })
  t.equal(answer.statusCode, 201)
  const { code, data } = answer.json()
  t.equal(code, 201)
  const { key, id, ...rest } = data
  t.match(key, /^fik_[0-9A-Za-z]{16}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}$/)
  t.same(rest, { name: 'deploy', scopes: ['read'], expires_at: new Date(now + 60_000).toISOString() })
  t.equal(answer.headers['cache-control'], 'no-store')
  const headers = { authorization: `Bearer ${key}` }
  t.match((await userInfo(app, headers)).json(), { auth_type: 'api_key', data: { username: 'user1' } })
  t.same(Object.keys((await list())[0]), [
    ...['id', 'name', 'scopes', 'created_at', 'last_used_at', 'expires_at'],
  ])
  t.match(await list(), [{ id, name: 'deploy', scopes: ['read'], created_at: new Date(now).toISOString() }])
  t.notMatch(JSON.stringify(await list()), key.split('_')[2])
  const ended = await end(id)
  t.same([ended.statusCode, ended.json().data], [200, { ended: 1 }])
  refusedByCenter(t, await userInfo(app, headers), 403, 'SIGNED_OUT')
  refusedByCenter(t, await end(id), 404, 'NOT_FOUND')
  t.same(await list(), [])
})

test('last_used_at is null, and then the time of the last use', async (t) => {
  const { app, clock, makeKey, list } = await start(t)
  const { headers } = await makeKey()
  t.equal((await list())[0].last_used_at, null)
  clock.advance(30)
  await userInfo(app, headers)
  while ((await list())[0].last_used_at === null) await new Promise(setImmediate)
  t.equal((await list())[0].last_used_at, new Date(clock()).toISOString())
})

test('a key lives 90 days by default and API_KEY_TTL_MAX at most', async (t) => {
  const { clock, make, makeKey, list } = await start(t)
  const now = clock()
  await makeKey()
  t.equal((await list())[0].expires_at, new Date(now + 90 * DAY * 1000).toISOString())
  t.equal((await make({ expires_in: 400 * DAY })).statusCode, 201)
  refusedByCenter(t, await make({ expires_in: 400 * DAY + 1 }), 400, 'BODY_INVALID')
  const short = await start(t, { API_KEY_TTL_MAX: '3600' })
  refusedByCenter(t, await short.make({ expires_in: 3601 }), 400, 'BODY_INVALID')
  await short.makeKey()
  t.equal((await short.list())[0].expires_at, new Date(now + 3_600_000).toISOString())
})

test('the end of a key is remembered for as long as a key can live', async (t) => {
  const { app } = await start(t, { API_KEY_TTL_MAX: String(500 * DAY) })
  const kept: number[] = []
  const { raiseEpoch } = app.stateStore
  app.stateStore.raiseEpoch = (id, epoch, spared, until) => {
    kept.push(until)
    return raiseEpoch.call(app.stateStore, id, epoch, spared, until)
  }
  const account = await app.accounts.findByUsername('user1')
  const now = app.identityClock()
  await app.accounts.raiseEpoch(String(account?.id))
  t.ok(kept.every((until) => until >= now + 500 * DAY * 1000))
  t.equal(kept.length, 1)
})

test('API_KEY_CAP: one more is 409 API_KEY_LIMIT, and none is ended for it', async (t) => {
  const { app, make, makeKey, list, end } = await start(t, { API_KEY_CAP: '2', SIGN_IN_CAP: '2' })
  const [one, two] = [await makeKey(), await makeKey()]
  refusedByCenter(t, await make(), 409, 'API_KEY_LIMIT')
  t.equal((await list()).length, 2)
  for (let login = 0; login < 3; login++) await signIn(app, 'token')
  for (const { headers } of [one, two]) t.equal((await userInfo(app, headers)).statusCode, 200)
  const { credential } = await signIn(app, 'cookie')
  await end(one.id, credential)
  t.equal((await make({}, credential)).statusCode, 201)
})

test('a malformed body is 400, and makes nothing', async (t) => {
  const { make, list } = await start(t)
  const bodies = [
    { name: '' },
    { name: '  ' },
    { name: 'x'.repeat(101) },
    { name: 'a\nb' },
    { name: '\u202etxt' },
    { name: 7 },
    { name: undefined },
    { scopes: [] },
    { scopes: ['admin'] },
    { scopes: ['read', 'read'] },
    { scopes: 'read' },
    { expires_in: 0 },
    { expires_in: 1.5 },
    { expires_in: '60' },
    { expires_in: -1 },
    { role: 'admin' },
    { key: 'fik_mine' },
  ]
  for (const body of bodies) refusedByCenter(t, await make(body), 400, 'BODY_INVALID', JSON.stringify(body))
  t.same(await list(), [])
  t.equal((await make({ name: '日本 – «déploiement»' })).statusCode, 201)
})

test('a key is made by somebody who signed in recently, by any mode for people', async (t) => {
  const { app, clock, make } = await start(t)
  refusedByCenter(t, await make({}, {}), 403, 'NOT_SIGNED_IN')
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    t.equal((await make({}, credential)).statusCode, 201, mode)
    clock.advance(601)
    refusedByCenter(t, await make({}, credential), 403, 'SIGN_IN_TOO_OLD', mode)
  }
  const crossSite = { ...(await signIn(app, 'cookie')).credential, 'sec-fetch-site': 'cross-site' }
  refusedByCenter(t, await make({}, crossSite), 403, 'CROSS_SITE')
})

test('somebody else’s key is 404, like one that does not exist', async (t) => {
  const { app, makeKey, end, list } = await start(t)
  const { id, headers } = await makeKey()
  const other = (await signIn(app, 'session', ADMIN)).credential
  t.same(await list(other), [])
  const one = await end(id, other)
  refusedByCenter(t, one, 404, 'NOT_FOUND')
  t.equal((await end('A'.repeat(16), other)).body, one.body)
  const [{ id: notAKey }] = (await app.inject({ url: '/sign_ins', headers: other })).json().data
  refusedByCenter(t, await end(notAKey, other), 404, 'NOT_FOUND', 'a sign-in that is no key')
  t.equal((await userInfo(app, headers)).statusCode, 200)
})

/** What a key may never do. */
const FOR_PEOPLE = [
  ['GET', '/api_keys'],
  ['POST', '/api_keys', { name: 'another' }],
  ['DELETE', '/api_keys/AAAAAAAAAAAAAAAA'],
  ['DELETE', '/sign_ins'],
  ['DELETE', '/sign_ins?except=current'],
  ['DELETE', '/sign_ins/AAAAAAAAAAAAAAAA'],
  ['POST', '/password', { current_password: 'admin123', new_password: 'three quiet ravens' }],
  ['POST', '/email', { email: 'a@mail.example' }],
  ['POST', '/email/confirm', { code: '12345678' }],
  ['GET', '/accounts'],
  ['PATCH', '/accounts/user1', { role: 'admin' }],
  ['DELETE', '/accounts/user1/sign_ins'],
] as const

test('403 MODE_REQUIRED for a key at every route for people, even an administrator’s', async (t) => {
  const { app } = await start(t)
  const { credential } = await signIn(app, 'session', ADMIN)
  for (const scopes of [['read', 'write'], ['read']]) {
    const { key } = (await post(app, '/api_keys', { name: 'x', scopes }, credential)).json().data
    for (const [method, url, payload] of FOR_PEOPLE) {
      const headers = { authorization: `Bearer ${key}` }
      const answer = await app.inject({ method, url, headers, ...(payload ? { payload } : {}) })
      refusedByCenter(t, answer, 403, 'MODE_REQUIRED', `${method} ${url}`)
      const beside = { ...headers, ...credential }
      const both = await app.inject({ method, url, headers: beside, ...(payload ? { payload } : {}) })
      refusedByCenter(t, both, 403, 'MODE_REQUIRED', `${method} ${url}, with a session beside it`)
    }
  }
  t.equal(
    (await app.inject({ url: '/accounts', headers: credential })).statusCode,
    200,
    'nothing has changed',
  )
})

const BODIES: Readonly<Record<string, object>> = {
  '/api_keys': { name: 'x' },
  '/email': { email: 'a@mail.example' },
  '/email/confirm': { code: '12345678' },
  '/password': { current_password: 'a', new_password: 'b' },
  '/accounts/{username}': { disabled: true },
  '/user_info': { display_name: 'x' },
  '/factors/{id}': { name: 'x' },
  '/factors/totp/confirm': { id: 'x', code: '123456' },
  '/passkeys': { response: {}, name: 'x' },
  '/passkeys/challenge': {},
  '/step_up': { password: 'x' },
}

test('every route that asks for a credential minds keys: a scope, or MODE_REQUIRED', async (t) => {
  const { app } = await start(t)
  const account = await app.accounts.findByUsername('admin')
  if (!account) return t.fail('admin is there')
  const headers = { authorization: `Bearer ${await keyWithoutScopes(t, account)}` }
  const { paths } = (await app.inject('/docs/json')).json()
  let guarded = 0
  for (const [path, methods] of Object.entries<Record<string, { security: object[] }>>(paths)) {
    for (const [method, { security }] of Object.entries(methods)) {
      if (security.length < 3) continue
      guarded++
      const url = path.replace('{username}', 'user1').replace('{id}', 'AAAAAAAAAAAAAAAA')
      const payload = method === 'get' ? undefined : BODIES[path]
      const answer = await app.inject({ method: method as 'GET', url, headers, ...(payload && { payload }) })
      t.match(answer.json().error, /^(SCOPE|MODE)_REQUIRED$/, `${method} ${path}`)
    }
  }
  t.ok(guarded >= 12, `${guarded} routes`)

  /** By the suite: no route of the user center makes one. */
  async function keyWithoutScopes(t: Test, account: Account): Promise<string> {
    const { id, key } = new KeyFormat('fik').make()
    const now = app.identityClock()
    const stored = {
      id,
      accountId: String(account.id),
      epoch: account.epoch ?? 0,
      name: '',
      scopes: [],
      claims: {},
    }
    const times = { createdAt: now, expiresAt: now + 1e6, lastUsedAt: null, endedAt: null }
    const hash = hashOf(key).toString('base64url')
    t.equal(await app.accounts.apiKeys.insert({ ...stored, ...times, hash, ip: '', userAgent: '' }, 50), true)
    return key
  }
})

test('GET /sign_ins shows keys beside the rest, and they are ended like them', async (t) => {
  const { app, makeKey, signIns, list, credential } = await start(t)
  const { id, headers } = await makeKey()
  const entries = await signIns()
  t.match(
    entries.find((entry: { id: string }) => entry.id === id),
    { auth_type: 'api_key', current: false },
  )
  t.equal(entries.length, 2)
  const own = (await app.inject({ url: '/sign_ins', headers })).json().data
  t.match(
    own.find((entry: { id: string }) => entry.id === id),
    { current: true },
    'a key with read sees it too',
  )
  const ended = await app.inject({ method: 'DELETE', url: `/sign_ins/${id}`, headers: credential })
  t.same(ended.json().data, { ended: 1 })
  refusedByCenter(t, await userInfo(app, headers), 403, 'SIGNED_OUT')
  t.same(await list(), [])
})

test('DELETE /sign_ins?except=current spares keys, and DELETE /sign_ins does not', async (t) => {
  const { app, makeKey, credential } = await start(t)
  const { headers } = await makeKey()
  await signIn(app, 'token')
  const others = await app.inject({ method: 'DELETE', url: '/sign_ins?except=current', headers: credential })
  t.same(others.json().data, { ended: 1 })
  t.equal((await userInfo(app, headers)).statusCode, 200)
  const all = await app.inject({ method: 'DELETE', url: '/sign_ins', headers: credential })
  t.same(all.json().data, { ended: 2 })
  refusedByCenter(t, await userInfo(app, headers), 403, 'SIGNED_OUT')
})

type Change = (app: FastifyInstance, credential: Credential) => Promise<LightMyRequestResponse>
const admin = async (app: FastifyInstance) => (await signIn(app, 'session', ADMIN)).credential

const CHANGES: Readonly<Record<string, Change>> = {
  'a new password': (app, credential) =>
    post(
      app,
      '/password',
      { current_password: USER.password, new_password: 'three quiet ravens' },
      credential,
    ),
  'a new role': async (app) =>
    app.inject({
      method: 'PATCH',
      url: '/accounts/user1',
      payload: { role: 'admin' },
      headers: await admin(app),
    }),
  'a disabled account': async (app) =>
    app.inject({
      method: 'PATCH',
      url: '/accounts/user1',
      payload: { disabled: true },
      headers: await admin(app),
    }),
  'an administrator who ends all sign-ins': async (app) =>
    app.inject({ method: 'DELETE', url: '/accounts/user1/sign_ins', headers: await admin(app) }),
}

for (const [name, change] of Object.entries(CHANGES)) {
  test(`${name} ends keys, cached and uncached, and they count no more`, async (t) => {
    const { app, makeKey, credential, dataDir } = await start(t, { API_KEY_CAP: '1' })
    const { headers, id } = await makeKey()
    t.equal((await userInfo(app, headers)).statusCode, 200)
    t.equal((await change(app, credential)).statusCode, 200)
    refusedByCenter(t, await userInfo(app, headers), 403, 'SIGNED_OUT')
    const found = await app.accounts.apiKeys.find(id)
    t.ok(found?.account === null || (found?.account.epoch ?? 0) > (found?.key.epoch ?? 0))
    await app.close()
    const restarted = await startUserCenter(t, { DATA_DIR: dataDir })
    refusedByCenter(t, await userInfo(restarted.app, headers), 403, 'SIGNED_OUT', 'after a restart')
  })
}

test('a sign-in that a raised epoch is about to end makes no key that lives on', async (t) => {
  const { app, dataDir, make, list } = await start(t)
  // The database has the new epoch, and the state store has not been told yet.
  const { kysely, close } = await openDatabase(databaseFile(dataDir))
  t.teardown(close)
  const account = await app.accounts.findByUsername('user1')
  await kysely.updateTable('accounts').set({ epoch: 7 }).where('id', '=', String(account?.id)).execute()
  refusedByCenter(t, await make(), 403, 'SIGNED_OUT')
  t.same(await list(), [])
  const [entry] = await app.signIns.list(String(account?.id))
  const spared = { spared_sign_in: entry?.id ?? '' }
  await kysely.updateTable('accounts').set(spared).where('id', '=', String(account?.id)).execute()
  t.equal((await make()).statusCode, 201, 'the one that made the change may')
})

test('a sign-in that ends while it makes a key makes none', async (t) => {
  const { app, make } = await start(t)
  const { credential: owner } = await signIn(app, 'session')
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  let hasEnded = false
  const { generation } = app.stateStore
  // The last step before the key is stored.
  app.stateStore.generation = async () => {
    if (!hasEnded) {
      hasEnded = true
      await app.inject({ method: 'DELETE', url: '/sign_ins', headers: owner })
    }
    return generation.call(app.stateStore)
  }
  refusedByCenter(t, await make(), 403, 'SIGNED_OUT')
  refusedByCenter(t, await make(), 403, 'SIGNED_OUT', 'nor later')
  t.ok(hasEnded)
  const account = await app.accounts.findByUsername('user1')
  t.same(await app.signIns.list(String(account?.id)), [])
  t.notOk(events.some(({ type }) => type === 'signed_in'))
})

test('unknown keys are throttled by address, and a key in use is not held up', async (t) => {
  const { app, makeKey } = await start(t, { LOGIN_LIMIT_ADDRESS: '5' })
  const { headers } = await makeKey()
  const unknown = () => ({ authorization: `Bearer ${new KeyFormat('fik').make().key}` })
  const codes: string[] = []
  for (let attempt = 0; attempt < 10; attempt++) codes.push((await userInfo(app, unknown())).json().error)
  // The making of the key was the first of the five.
  t.same(codes, [...Array(4).fill('CREDENTIAL_INVALID'), ...Array(6).fill('THROTTLED')])
  t.equal((await userInfo(app, headers)).statusCode, 200)
})

test('the making of keys is limited by address', async (t) => {
  const { make, makeKey, list } = await start(t, { LOGIN_LIMIT_ADDRESS: '5' })
  for (let made = 0; made < 5; made++) await makeKey()
  const answer = await make()
  refusedByCenter(t, answer, 429, 'THROTTLED')
  t.ok(Number(answer.headers['retry-after']) > 0)
  t.equal((await list()).length, 5)
})

test('each refusal has its code, status and challenge', async (t) => {
  const { app, clock, makeKey, end } = await start(t)
  const expired = await makeKey({ expires_in: 60 })
  const ended = await makeKey()
  const writer = await makeKey({ scopes: ['write'] })
  await end(ended.id)
  clock.advance(60)
  const others = 'DPoP algs="ES256 EdDSA RS256"'
  const invalid = `Bearer error="invalid_token", ${others}`
  const insufficient = 'Bearer error="insufficient_scope", scope="read"'
  const cases = [
    [expired.key, 'CREDENTIAL_EXPIRED', invalid],
    [ended.key, 'SIGNED_OUT', invalid],
    [`${ended.key.slice(0, -1)}_`, 'CREDENTIAL_INVALID', invalid],
    ['fik_', 'CREDENTIAL_INVALID', invalid],
    [writer.key, 'SCOPE_REQUIRED', insufficient],
  ] as const
  for (const [key, error, challenge] of cases) {
    for (const url of ['/user_info', '/sign_ins', '/inspector']) {
      const answer = await app.inject({ url, headers: { authorization: `Bearer ${key}` } })
      refusedByCenter(t, answer, 403, error, `${url} ${error}`)
      t.equal(answer.headers['www-authenticate'], challenge)
    }
  }
})

test('two Authorization lines are 400, whichever of them holds the key', async (t) => {
  const { app, makeKey } = await start(t)
  const { key } = await makeKey()
  const token = (await signIn(app, 'token')).credential.authorization ?? ''
  const port = await listen(app)
  const lines = [`Bearer ${key}`, token, 'Basic YTpi', 'Bearer fik_'].map(
    (value) => `Authorization: ${value}`,
  )
  for (const url of ['/user_info', '/sign_ins', '/api_keys']) {
    for (const one of lines) {
      for (const two of lines) {
        if (!`${one}${two}`.includes(key)) continue
        const head = `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`
        const answer = await sendRaw(port, `${head}${one}\r\n${two}\r\n\r\n`)
        t.match(answer, /^HTTP\/1\.1 400 .*"error":"CREDENTIAL_AMBIGUOUS"/s, `${url} ${one.slice(0, 24)}`)
      }
    }
  }
})

test('at /user_info a refused key does not stop the search, and elsewhere it does', async (t) => {
  const { app, credential } = await start(t)
  const headers = { ...credential, authorization: 'Bearer fik_nothing' }
  t.equal((await userInfo(app, headers)).json().auth_type, 'cookie')
  refusedByCenter(t, await app.inject({ url: '/sign_ins', headers }), 403, 'CREDENTIAL_INVALID')
})

test('a logout with a key ends nothing of the key', async (t) => {
  const { app, makeKey } = await start(t)
  const { headers } = await makeKey()
  for (const mode of MODES) t.equal((await post(app, `/logout_${mode}`, {}, headers)).statusCode, 200)
  t.equal((await userInfo(app, headers)).statusCode, 200)
})

test('the inspector shows a key’s sign-in, and no credential', async (t) => {
  const { app, makeKey } = await start(t)
  const { key, headers } = await makeKey()
  const answer = await app.inject({ url: '/inspector', headers })
  t.match(answer.json(), { auth_type: 'api_key', data: { cookie: null, session: null, sign_in: {} } })
  t.notMatch(answer.body, key.split('_')[2] ?? '')
})

test('audit events of a key name it, its owner and its mode', async (t) => {
  const { app, makeKey, end } = await start(t)
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  const { id, key } = await makeKey()
  await end(id)
  t.match(events, [
    { type: 'signed_in', mode: 'api_key', signInId: id },
    { type: 'sign_in_ended', signInId: id, by: 'owner', why: 'asked' },
  ])
  t.notMatch(JSON.stringify(events), key)
})

test('messages are in English and in Chinese', async (t) => {
  const { make, credential } = await start(t, { API_KEY_CAP: '1' })
  t.match((await make()).json().msg, /shown only now/)
  t.match((await make()).json().msg, /as many API keys/)
  t.match((await make({}, { ...credential, 'accept-language': 'zh-CN' })).json().msg, /API 密钥/)
})
