import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { hash } from '@node-rs/argon2'
import Fastify from 'fastify'
import { type Test, test } from 'tap'
import suite from '../../plugins/index.js'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { handleFailures } from '../../routes/http/failures.js'
import { loginRoutes } from '../../routes/login.js'
import {
  ADMIN,
  type Credential,
  credentialCookies,
  MODES,
  post,
  refusedByCenter,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

test('POST /login_cookie sets the auth cookie, and tells the device', async (t) => {
  const { app } = await startUserCenter(t)
  const { response } = await signIn(app, 'cookie')
  t.match(response.json(), { code: 200, auth_type: 'cookie' })
  t.type(response.json().msg, 'string')
  const [cookie, device, ...others] = response.cookies
  t.strictSame([device?.name, others], ['device', []])
  t.match(cookie, { name: 'identity', httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 3600 })
  t.notOk(cookie?.secure)
  t.equal(response.headers['cache-control'], 'no-store')
})

test('POST /login_session sets a session cookie that ends with the browser, with a new id every time', async (t) => {
  const { app } = await startUserCenter(t)
  const first = await signIn(app, 'session')
  t.match(first.response.json(), { code: 200, auth_type: 'session' })
  const [cookie] = credentialCookies(first.response)
  t.match(cookie, { name: 'session', httpOnly: true, sameSite: 'Lax', path: '/' })
  t.equal(cookie?.maxAge, undefined)
  t.equal(cookie?.expires, undefined)
  const second = await signIn(app, 'session', USER, first.credential)
  t.not(second.credential.cookie, first.credential.cookie)
})

test('POST /login_cookie clears a session cookie that is over, or of another application', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'session')
  await app.inject({ method: 'DELETE', url: '/sign_ins', headers: credential })
  for (const dead of [credential.cookie ?? '', 'session=eyJfcGVybWFuZW50Ijp0cnVlfQ.ZxY1aA.abc']) {
    const answer = await post(app, '/login_cookie', USER, { cookie: dead })
    t.equal(answer.statusCode, 200)
    const [own, session] = ['identity', 'session'].map((name) => answer.cookies.find((c) => c.name === name))
    t.match(session, { value: '', maxAge: 0, path: '/', httpOnly: true })
    const headers = { cookie: `identity=${own?.value}` }
    t.equal((await app.inject({ url: '/sign_ins', headers })).statusCode, 200)
    const change = { current_password: USER.password, new_password: 'short' }
    refusedByCenter(t, await post(app, '/password', change, headers), 422, 'PASSWORD_REFUSED')
    refusedByCenter(
      t,
      await app.inject({ url: '/sign_ins', headers: { cookie: dead } }),
      403,
      dead.startsWith('session=v1') ? 'SIGNED_OUT' : 'CREDENTIAL_INVALID',
    )
  }
  const byToken = await post(app, '/login_token', USER, { cookie: credential.cookie ?? '' })
  t.equal(byToken.headers['set-cookie'], undefined, 'a login by token clears none')
})

test('POST /login_token answers a pair of tokens and sets no cookie', async (t) => {
  const { app } = await startUserCenter(t)
  const { response } = await signIn(app, 'token')
  const { code, auth_type, data } = response.json()
  t.match({ code, auth_type }, { code: 200, auth_type: 'token' })
  t.same(Object.keys(data), ['token', 'token_type', 'expires_in', 'refresh_token', 'refresh_expires_in'])
  t.match(data, { token_type: 'Bearer', expires_in: 900, refresh_expires_in: 604_800 })
  t.equal(response.headers['set-cookie'], undefined)
})

test('COOKIE_NAME and SESSION_NAME name the cookies, and the inspector and the settings follow', async (t) => {
  const { app } = await startUserCenter(t, { COOKIE_NAME: 'center', SESSION_NAME: 'sid' })
  for (const [mode, name] of [
    ['cookie', 'center'],
    ['session', 'sid'],
  ] as const) {
    const { response, credential } = await signIn(app, mode)
    t.equal(credentialCookies(response)[0]?.name, name)
    t.equal((await userInfo(app, credential)).json().auth_type, mode)
    const asked = await app.inject({ url: '/inspector', headers: credential })
    t.equal(asked.json().data.cookie.name, name)
    const { data } = (await app.inject({ url: '/settings', headers: credential })).json()
    t.match(data, { cookie_sent: true, cookie_names: { cookie: 'center', session: 'sid' } })
    const out = await post(app, `/logout_${mode}`, {}, credential)
    t.match(out.cookies, [{ name, maxAge: 0 }])
  }
  // A cookie of the default name is another application's: not ours to judge or to clear.
  const foreign = { cookie: 'session=of.another.application' }
  refusedByCenter(t, await app.inject({ url: '/sign_ins', headers: foreign }), 403, 'NOT_SIGNED_IN')
  t.notMatch(String((await post(app, '/login_cookie', USER, foreign)).headers['set-cookie']), 'session=')
})

test('COOKIE_SECURE makes cookies Secure and gives them the __Host- prefix', async (t) => {
  const { app } = await startUserCenter(t, { COOKIE_SECURE: 'true' })
  for (const mode of ['cookie', 'session'] as const) {
    const { response, credential } = await signIn(app, mode)
    const name = mode === 'cookie' ? '__Host-identity' : '__Host-session'
    const [cookie] = credentialCookies(response)
    t.match(cookie, { name, secure: true, httpOnly: true, sameSite: 'Lax', path: '/' })
    t.equal(cookie?.domain, undefined)
    t.match((await userInfo(app, credential)).json(), { code: 200, auth_type: mode })
  }
})

test('remember lengthens the life of both cookies', async (t) => {
  const { app, clock } = await startUserCenter(t)
  for (const mode of ['cookie', 'session'] as const) {
    const { response, credential } = await signIn(app, mode, { ...USER, remember: true })
    t.equal(credentialCookies(response)[0]?.maxAge, 604_800, mode)
    clock.advance(604_800 - 1)
    t.equal((await userInfo(app, credential)).statusCode, 200, `${mode}: until its last second`)
    clock.advance(1)
    t.equal((await userInfo(app, credential)).statusCode, 403, `${mode}: and no longer`)
  }
})

test('a wrong password, an unknown user and a disabled one get the same 401, byte for byte', async (t) => {
  const { app } = await startUserCenter(t)
  const { id } = await app.accounts.create({ username: 'gone', password: 'a long enough one', role: 'user' })
  await app.accounts.setDisabled(id, true)
  for (const mode of MODES) {
    const wrong = await post(app, `/login_${mode}`, { ...USER, password: 'wrong password' })
    const unknown = await post(app, `/login_${mode}`, { username: 'nobody', password: 'wrong password' })
    refusedByCenter(t, wrong, 401, 'CREDENTIALS_REFUSED', mode)
    const disabled = await post(app, `/login_${mode}`, { username: 'gone', password: 'a long enough one' })
    const comparable = (headers: object) => ({ ...headers, date: '' })
    for (const other of [unknown, disabled]) {
      t.equal(wrong.body, other.body)
      t.same(comparable(wrong.headers), comparable(other.headers))
    }
    t.equal(wrong.headers['set-cookie'], undefined)
  }
})

/** The login routes on accounts that count how often they are asked to verify. */
async function startCounting(t: Test) {
  const count = { verified: 0 }
  const verify = async () => {
    count.verified++
    return null
  }
  const app = Fastify({ bodyLimit: 16 * 1024 })
  t.teardown(() => app.close())
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  handleFailures(app)
  const accounts = { verify, find: async () => null }
  await app.register(suite, {
    secrets: ['Zk3v9QmXr7LwT2bNc8YhFp5sJd6GaV4e'],
    state: { memory: true },
    accounts,
    throttle: {},
  })
  await app.register(loginRoutes)
  return { app, count }
}

test('a bad body is 400 and nothing is verified', async (t) => {
  const { app, count } = await startCounting(t)
  const bodies: [string, unknown][] = [
    ['nothing', undefined],
    ['an empty object', {}],
    ['null', null],
    ['an array', [USER]],
    ['a string', 'user1'],
    ['a number', 7],
    ['no password', { username: 'user1' }],
    ['no username', { password: 'user123' }],
    ['an array for a name', { ...USER, username: ['user1'] }],
    ['an object for a password', { ...USER, password: { $ne: '' } }],
    ['null for a password', { ...USER, password: null }],
    ['a number for a password', { ...USER, password: 123 }],
    ['an empty name', { ...USER, username: '' }],
    ['an empty password', { ...USER, password: '' }],
    ['a long name', { ...USER, username: 'x'.repeat(257) }],
    ['a password above 1 KiB', { ...USER, password: 'x'.repeat(1025) }],
    ['a field that does not belong', { ...USER, role: 'admin' }],
    ['remember that is no boolean', { ...USER, remember: 'true' }],
  ]
  for (const mode of MODES) {
    for (const [name, body] of bodies) {
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const headers = { 'content-type': 'application/json' }
      const response = await app.inject({ method: 'POST', url: `/login_${mode}`, payload, headers })
      refusedByCenter(t, response, 400, 'BODY_INVALID', `${mode}: ${name}`)
    }
    const malformed = {
      method: 'POST',
      url: `/login_${mode}`,
      headers: { 'content-type': 'application/json' },
    } as const
    refusedByCenter(t, await app.inject({ ...malformed, payload: '{"username":' }), 400, 'BODY_INVALID')
    const polluting = '{"username":"user1","password":"user123","__proto__":{"role":"admin"}}'
    refusedByCenter(
      t,
      await app.inject({ ...malformed, payload: polluting }),
      400,
      'BODY_INVALID',
      '__proto__',
    )
  }
  refusedByCenter(
    t,
    await post(app, '/login_token', { ...USER, remember: true }),
    400,
    'BODY_INVALID',
    'remember a token',
  )
  t.equal(count.verified, 0)
  await post(app, '/login_cookie', USER)
  t.equal(count.verified, 1, 'a good one is')
})

test('a body that is not UTF-8 is refused: no two passwords become one', async (t) => {
  const { app } = await startUserCenter(t)
  const before = await app.accounts.count()
  const headers = { 'content-type': 'application/json' }
  const send = (url: string, text: string, encoding: BufferEncoding) =>
    app.inject({ method: 'POST', url, headers, payload: Buffer.from(text, encoding) })
  const body = (password: string) => JSON.stringify({ username: 'zoe', password })
  for (const charset of ['', '; charset=latin1', '; charset=utf-16le']) {
    headers['content-type'] = `application/json${charset}`
    refusedByCenter(t, await send('/register', body('pässwörter'), 'latin1'), 400, 'BODY_INVALID', charset)
    refusedByCenter(t, await send('/register', body('pässwörter'), 'utf16le'), 400, 'BODY_INVALID', charset)
  }
  t.equal(await app.accounts.count(), before)
  t.equal((await send('/register', body('p\ufffdssw\ufffdrter'), 'utf8')).statusCode, 201)
  for (const mode of MODES) {
    const answer = await send(`/login_${mode}`, body('pässwörter'), 'latin1')
    refusedByCenter(t, answer, 400, 'BODY_INVALID', mode)
  }
})

test('a body that is too large or of another type is refused unread', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const url = `/login_${mode}`
    const large = await post(app, url, { ...USER, password: 'x'.repeat(1024 * 1024) })
    refusedByCenter(t, large, 413, 'BODY_TOO_LARGE', mode)
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'multipart/form-data',
    ]) {
      const headers = { 'content-type': type }
      const response = await app.inject({ method: 'POST', url, headers, payload: JSON.stringify(USER) })
      refusedByCenter(t, response, 415, 'CONTENT_TYPE_UNSUPPORTED', `${mode}: ${type}`)
    }
  }
})

test('a stored hash that is damaged or absurd is a wrong password, and one from weaker times is made anew', async (t) => {
  const { app, dataDir } = await startUserCenter(t, { LOGIN_LIMIT_ACCOUNT: '100' })
  const { kysely, close } = await openDatabase(databaseFile(dataDir))
  t.teardown(close)
  const store = (password_hash: string) =>
    kysely.updateTable('accounts').set({ password_hash }).where('canonical', '=', 'user1').execute()
  const stored = () =>
    kysely.selectFrom('accounts').selectAll().where('canonical', '=', 'user1').executeTakeFirst()
  const weak = await hash(USER.password, { memoryCost: 8192, timeCost: 1 })
  const before = await post(app, '/login_token', { ...USER, password: 'wrong one' })
  for (const damaged of [
    '',
    'x',
    weak.replace('m=8192', 'm=4194304'),
    weak.replace('t=1', 't=4294967295'),
    weak.slice(1),
  ]) {
    await store(damaged)
    for (const mode of MODES) {
      const answer = await post(app, `/login_${mode}`, USER)
      refusedByCenter(t, answer, 401, 'CREDENTIALS_REFUSED', damaged.slice(0, 40))
      t.equal(answer.body, before.body)
    }
    t.equal((await stored())?.password_hash, damaged, 'what is nobody’s stays so')
  }
  await store(weak)
  refusedByCenter(
    t,
    await post(app, '/login_token', { ...USER, password: 'wrong one' }),
    401,
    'CREDENTIALS_REFUSED',
  )
  t.equal((await stored())?.password_hash, weak)
  const first = await signIn(app, 'token')
  const renewed = await stored()
  t.match(renewed, { epoch: 1, password_hash: /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/ })
  await signIn(app, 'cookie')
  t.equal((await stored())?.password_hash, renewed?.password_hash, 'once')
  t.equal((await userInfo(app, first.credential)).statusCode, 200)
})

test('a login from another site is refused, whether or not the password is right', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const foreign: Credential[] = [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]
    for (const headers of foreign) {
      refusedByCenter(t, await post(app, `/login_${mode}`, USER, headers), 403, 'CROSS_SITE', mode)
    }
    refusedByCenter(
      t,
      await post(app, `/login_${mode}`, {}, { origin: 'https://evil.example' }),
      400,
      'BODY_INVALID',
      mode,
    )
  }
})

test('a granted sign-in ends the one that the same credential stood for; a refused one ends nothing', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const first = await signIn(app, mode)
    await post(app, `/login_${mode}`, { ...USER, password: 'wrong password' }, first.credential)
    t.equal((await userInfo(app, first.credential)).statusCode, 200, `${mode}: still there after a refusal`)
    const second = await signIn(app, mode, ADMIN, first.credential)
    refusedByCenter(t, await userInfo(app, first.credential), 403, 'SIGNED_OUT', mode)
    t.match((await userInfo(app, second.credential)).json(), { data: { username: 'admin' }, auth_type: mode })
  }
})

test('usernames are compared by NFKC and case folding', async (t) => {
  const { app } = await startUserCenter(t)
  await signIn(app, 'cookie', { username: 'ＵＳＥＲ１', password: 'user123' })
})

test('messages are in Chinese when the request prefers it', async (t) => {
  const { app } = await startUserCenter(t)
  const response = await post(
    app,
    '/login_cookie',
    { ...USER, password: 'no' },
    { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' },
  )
  t.equal(response.json().msg, '用户名或密码错误。')
  t.equal(response.json().error, 'CREDENTIALS_REFUSED')
})
