import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
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

test('GET /user_info says who is asking and how it knew', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode, ADMIN)
    const response = await userInfo(app, credential)
    const body = response.json()
    t.same(Object.keys(body).sort(), ['auth_type', 'code', 'data', 'msg'])
    t.match(body, { code: 200, auth_type: mode, data: { username: 'admin', role: 'admin' } })
    t.same(Object.keys(body.data), ['username', 'role', 'avatar', 'display_name', 'email', 'last_sign_ins'])
    t.ok(URL.canParse(body.data.avatar))
    t.equal(response.headers['cache-control'], 'no-store')
    t.equal(response.headers['set-cookie'], undefined)
  }
})

test('the token is tried first, then the session, then the cookie', async (t) => {
  const { app } = await startUserCenter(t)
  const token = await signIn(app, 'token', ADMIN)
  const session = await signIn(app, 'session')
  const cookie = await signIn(app, 'cookie')
  const cookies = { cookie: `${cookie.credential.cookie}; ${session.credential.cookie}` }
  t.equal((await userInfo(app, { ...token.credential, ...cookies })).json().auth_type, 'token')
  t.equal((await userInfo(app, cookies)).json().auth_type, 'session')
})

test('a credential that is bad does not stop the search here, and does on every other route', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  const mixed = { ...credential, authorization: 'Bearer junk' }
  t.equal((await userInfo(app, mixed)).json().auth_type, 'cookie')
  refusedByCenter(t, await app.inject({ url: '/sign_ins', headers: mixed }), 403, 'TOKEN_INVALID')
})

test('nobody recognised: 403 with the reason, and a challenge', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const { credential: token } = await signIn(app, 'token')
  const { credential: cookie } = await signIn(app, 'cookie')
  const nobody = await userInfo(app)
  refusedByCenter(t, nobody, 403, 'NOT_SIGNED_IN')
  t.equal(nobody.headers['www-authenticate'], 'Bearer, DPoP algs="ES256 EdDSA RS256"')
  t.equal(nobody.headers['cache-control'], 'no-store')
  const invalid = await userInfo(app, { authorization: 'Bearer junk' })
  refusedByCenter(t, invalid, 403, 'TOKEN_INVALID')
  t.equal(invalid.headers['www-authenticate'], 'Bearer error="invalid_token", DPoP algs="ES256 EdDSA RS256"')
  refusedByCenter(t, await userInfo(app, { cookie: 'identity=user_id=123456' }), 403, 'CREDENTIAL_INVALID')
  refusedByCenter(t, await userInfo(app, { cookie: 'session=123456' }), 403, 'CREDENTIAL_INVALID')
  refusedByCenter(
    t,
    await userInfo(app, { authorization: 'Basic dXNlcjE6dXNlcjEyMw==' }),
    403,
    'NOT_SIGNED_IN',
    'another scheme',
  )
  clock.advance(3600)
  refusedByCenter(t, await userInfo(app, token), 403, 'TOKEN_EXPIRED')
  refusedByCenter(t, await userInfo(app, cookie), 403, 'CREDENTIAL_EXPIRED')
  refusedByCenter(
    t,
    await userInfo(app, { ...token, ...cookie }),
    403,
    'TOKEN_EXPIRED',
    'the first in order is reported',
  )
})

test('a session ends when it is idle for SESSION_IDLE_TTL, and at SESSION_ABSOLUTE_TTL however busy it is', async (t) => {
  const { app, clock } = await startUserCenter(t, { SESSION_IDLE_TTL: '100', SESSION_ABSOLUTE_TTL: '250' })
  const { credential } = await signIn(app, 'session')
  for (let used = 0; used < 4; used++) {
    clock.advance(60)
    t.equal((await userInfo(app, credential)).statusCode, 200, `${(used + 1) * 60} s`)
  }
  clock.advance(10)
  refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', 'the absolute limit')
  const idle = await signIn(app, 'session')
  clock.advance(100)
  refusedByCenter(t, await userInfo(app, idle.credential), 403, 'SIGNED_OUT', 'the idle limit')
})

test('a malformed or doubled Authorization is 400, one answer for each odd form', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'token')
  const token = String(credential.authorization).slice('Bearer '.length)
  const port = await listen(app)
  const ask = async (lines: string, path = '/user_info') =>
    sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`)
  const ambiguous = [
    'Authorization: Bearer\r\n',
    `Authorization: Bearer  ${token}\r\n`,
    `Authorization: Bearer\t${token}\r\n`,
    `Authorization: Bearer ${token} x\r\n`,
    `Authorization: Bearer ${token},${token}\r\n`,
    `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n`,
    `Authorization: Basic x\r\nAuthorization: Bearer ${token}\r\n`,
  ]
  for (const lines of ambiguous) {
    for (const path of ['/user_info', '/sign_ins', '/logout_token', '/logout_cookie', '/logout_session']) {
      const answer = await ask(lines, path)
      t.match(answer, /^HTTP\/1\.1 400 /, `${path} ${lines.replace(token, '…')}`)
      t.match(answer, /"error":"CREDENTIAL_AMBIGUOUS"/)
      t.notMatch(answer, token)
    }
  }
  t.match(await ask(`Authorization: bearer ${token}\r\n`), /^HTTP\/1\.1 200 /, 'the scheme in lower case')
  t.match(
    await ask(`Authorization: Bearer ${token} \r\n`),
    /^HTTP\/1\.1 200 /,
    'white space at the end is the parser’s',
  )
  t.match(await ask(`Authorization: Bearerx ${token}\r\n`), /NOT_SIGNED_IN/, 'another scheme')
  t.equal((await userInfo(app, credential)).statusCode, 200, 'the good token is still good')
})

test('a cookie sent twice is no credential', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of ['cookie', 'session'] as const) {
    const { credential } = await signIn(app, mode)
    const cookie = String(credential.cookie)
    refusedByCenter(
      t,
      await userInfo(app, { cookie: `${cookie}; ${cookie}` }),
      403,
      'CREDENTIAL_INVALID',
      mode,
    )
    t.equal((await userInfo(app, credential)).statusCode, 200)
  }
})

test('an account that was disabled is nobody', async (t) => {
  const { app } = await startUserCenter(t)
  const admin = await app.accounts.findByUsername('user1')
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    await app.accounts.setDisabled(String(admin?.id), true)
    refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', mode)
    await app.accounts.setDisabled(String(admin?.id), false)
  }
})

test('people stay signed in when the process restarts', async (t) => {
  const first = await startUserCenter(t)
  const signedIn = await Promise.all(MODES.map((mode) => signIn(first.app, mode, USER)))
  const ended = await signIn(first.app, 'cookie')
  await first.app.inject({ method: 'POST', url: '/logout_cookie', headers: ended.credential })
  await first.app.close()
  const { app } = await startUserCenter(t, { DATA_DIR: first.dataDir }, first.clock)
  for (const [index, { credential }] of signedIn.entries()) {
    t.match((await userInfo(app, credential)).json(), { code: 200, auth_type: MODES[index] })
  }
  refusedByCenter(
    t,
    await userInfo(app, ended.credential),
    403,
    'SIGNED_OUT',
    'who signed out stays signed out',
  )
})

function rename(app: FastifyInstance, headers: Credential, payload: object) {
  return app.inject({ method: 'PATCH', url: '/user_info', headers, payload })
}

test('PATCH /user_info sets and removes the display name, in every mode, and ends no sign-in', async (t) => {
  const { app } = await startUserCenter(t)
  const named = async (headers: Credential) => (await userInfo(app, headers)).json().data.display_name
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    t.equal(await named(credential), null, mode)
    const answer = await rename(app, credential, { display_name: ' Zoe\u0308 ' })
    t.match(answer.json(), { code: 200, auth_type: mode, data: { display_name: 'Zoë' } })
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(await named(credential), 'Zoë', 'at once')
    const other = await signIn(app, mode, ADMIN)
    t.equal(await named(other.credential), null, 'nobody else’s')
    t.match((await rename(app, credential, { display_name: null })).json(), { data: { display_name: null } })
  }
})

test('a display name of another form is refused, and so is a caller who may not change it', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  await rename(app, credential, { display_name: 'Ada' })
  for (const display_name of ['', ' ', 'a\nb', '\u202eadmin', 'x'.repeat(65)])
    refusedByCenter(
      t,
      await rename(app, credential, { display_name }),
      400,
      'DISPLAY_NAME_INVALID',
      display_name,
    )
  const bodies = [
    {},
    { display_name: 1 },
    { display_name: 'x', role: 'admin' },
    { display_name: 'x'.repeat(257) },
  ]
  for (const body of [...bodies, ['x'], { display_name: ['x'] }])
    refusedByCenter(
      t,
      await rename(app, credential, body),
      400,
      'BODY_INVALID',
      JSON.stringify(body).slice(0, 40),
    )
  const changed = { display_name: 'Eve' }
  const crossSite = { ...credential, origin: 'https://evil.example' }
  refusedByCenter(t, await rename(app, crossSite, changed), 403, 'CROSS_SITE')
  refusedByCenter(t, await rename(app, {}, changed), 403, 'NOT_SIGNED_IN')
  const makeKey = async (scopes: string[]) => {
    const { key } = (await post(app, '/api_keys', { name: 'deploy', scopes }, credential)).json().data
    return { authorization: `Bearer ${key}` }
  }
  refusedByCenter(t, await rename(app, await makeKey(['read']), changed), 403, 'SCOPE_REQUIRED')
  t.equal((await userInfo(app, credential)).json().data.display_name, 'Ada')
  t.equal((await rename(app, await makeKey(['write']), changed)).statusCode, 200, 'a key that may write')
})

test('the last five sign-ins are told, whatever became of them, and keys are none', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  const started = clock()
  for (const mode of MODES) {
    clock.advance(1)
    const { credential } = await signIn(app, mode)
    await post(app, `/logout_${mode}`, {}, credential)
  }
  await post(app, '/api_keys', { name: 'deploy' }, credential)
  await signIn(app, 'cookie', ADMIN)
  const { data } = (await userInfo(app, credential)).json()
  const seen = (auth_type: string, seconds: number) => {
    const time = new Date(started + seconds * 1000).toISOString()
    return { auth_type, time, ip: '127.0.0.1' }
  }
  t.strictSame(data.last_sign_ins, [
    seen('cookie', 3),
    seen('session', 2),
    seen('token', 1),
    seen('cookie', 0),
  ])
})
