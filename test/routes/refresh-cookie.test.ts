import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { type Test, test } from 'tap'
import { type Credential, cookieOf, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const WITH_COOKIE = { ...USER, refresh_cookie: true }
const SECURE = ['true', 'false'] as const

const refreshBy = (app: FastifyInstance, cookie: string, headers: Credential = {}) =>
  app.inject({ method: 'POST', url: '/refresh_token', headers: { cookie, ...headers } })
const bearerOf = (answer: LightMyRequestResponse) => ({ authorization: `Bearer ${answer.json().data.token}` })

async function enter(t: Test, env: Record<string, string> = {}) {
  const { app, clock } = await startUserCenter(t, env)
  const login = await post(app, '/login_token', WITH_COOKIE)
  return { app, clock, login, cookie: cookieOf(login) }
}

test('refresh_cookie: the refresh token is in a strict cookie, and not in the body', async (t) => {
  for (const COOKIE_SECURE of SECURE) {
    const { login } = await enter(t, { COOKIE_SECURE })
    const isSecure = COOKIE_SECURE === 'true'
    const { auth_type, data } = login.json()
    t.equal(auth_type, 'token')
    t.same(Object.keys(data), ['token', 'token_type', 'expires_in', 'refresh_expires_in'])
    t.equal(login.cookies.length, 1)
    const [cookie] = login.cookies
    t.match(cookie, { httpOnly: true, sameSite: 'Strict', path: '/', maxAge: data.refresh_expires_in })
    t.equal(cookie?.name, isSecure ? '__Host-refresh' : 'refresh')
    t.equal(cookie?.secure ?? false, isSecure)
    t.equal(cookie?.domain, undefined)
    t.notMatch(login.body, cookie?.value ?? '-')
    t.equal(login.headers['cache-control'], 'no-store')
  }
})

test('without refresh_cookie, or with false, no cookie is set', async (t) => {
  const { app } = await startUserCenter(t)
  for (const body of [USER, { ...USER, refresh_cookie: false }]) {
    const login = await post(app, '/login_token', body)
    t.equal(login.headers['set-cookie'], undefined)
    t.type(login.json().data.refresh_token, 'string')
  }
  for (const refresh_cookie of ['true', 1, null])
    refusedByCenter(t, await post(app, '/login_token', { ...USER, refresh_cookie }), 400, 'BODY_INVALID')
  for (const mode of ['cookie', 'session'])
    refusedByCenter(t, await post(app, `/login_${mode}`, WITH_COOKIE), 400, 'BODY_INVALID', mode)
})

test('/refresh_token without a body uses the cookie, and sets its successor', async (t) => {
  for (const COOKIE_SECURE of SECURE) {
    const { app, clock, cookie } = await enter(t, { COOKIE_SECURE })
    clock.advance(1000)
    const refreshed = await refreshBy(app, cookie)
    const { auth_type, data } = refreshed.json()
    t.equal(auth_type, 'token')
    t.same(Object.keys(data), ['token', 'token_type', 'expires_in', 'refresh_expires_in'])
    t.match(refreshed.cookies, [
      {
        httpOnly: true,
        sameSite: 'Strict',
        path: '/',
        maxAge: 604_800 - 1000,
        secure: COOKIE_SECURE === 'true' || undefined,
      },
    ])
    t.not(cookieOf(refreshed), cookie)
    t.equal((await userInfo(app, bearerOf(refreshed))).json().auth_type, 'token')
    const again = await refreshBy(app, cookie)
    t.equal(cookieOf(again), cookieOf(refreshed), 'a retry within the grace gets the same successor')
    t.equal(
      (await refreshBy(app, cookieOf(refreshed), { 'content-type': 'application/json' })).statusCode,
      200,
    )
  }
})

test('an old refresh cookie is theft: the sign-in ends', async (t) => {
  const { app, clock, cookie } = await enter(t)
  const next = await refreshBy(app, cookie)
  clock.advance(11)
  const stolen = await refreshBy(app, cookie)
  refusedByCenter(t, stolen, 401, 'REFRESH_REFUSED')
  t.equal(stolen.headers['set-cookie'], undefined, 'a late refusal must not clear a newer cookie')
  refusedByCenter(t, await refreshBy(app, cookieOf(next)), 401, 'REFRESH_REFUSED')
  refusedByCenter(t, await userInfo(app, bearerOf(next)), 403, 'SIGNED_OUT')
})

test('body and cookie together are refused, and nothing is rotated', async (t) => {
  const { app, clock, cookie } = await enter(t)
  const { refreshToken } = await signIn(app, 'token')
  const url = '/refresh_token'
  refusedByCenter(
    t,
    await post(app, url, { refresh_token: refreshToken }, { cookie }),
    400,
    'CREDENTIAL_AMBIGUOUS',
  )
  for (const payload of ['{}', 'null', '{"refresh_token":']) {
    const headers = { cookie, 'content-type': 'application/json' }
    refusedByCenter(
      t,
      await app.inject({ method: 'POST', url, headers, payload }),
      400,
      'BODY_INVALID',
      payload,
    )
  }
  const first = await refreshBy(app, cookie)
  clock.advance(11)
  t.equal((await refreshBy(app, cookieOf(first))).statusCode, 200)
  t.equal((await post(app, url, { refresh_token: refreshToken })).statusCode, 200)
})

test('two such cookies are none', async (t) => {
  const { app, cookie } = await enter(t)
  const doubled = `${cookie}; ${cookie}`
  refusedByCenter(t, await refreshBy(app, doubled), 400, 'BODY_INVALID')
  refusedByCenter(
    t,
    await app.inject({ method: 'POST', url: '/refresh_token' }),
    400,
    'BODY_INVALID',
    'as without',
  )
  const { refreshToken } = await signIn(app, 'token')
  const byBody = await post(app, '/refresh_token', { refresh_token: refreshToken }, { cookie: doubled })
  t.equal(byBody.statusCode, 200)
  await app.inject({ method: 'POST', url: '/logout_token', headers: { cookie: doubled } })
  t.equal((await refreshBy(app, cookie)).statusCode, 200, 'a logout ends neither')
})

test('what is no genuine refresh token is refused in a cookie too', async (t) => {
  for (const COOKIE_SECURE of SECURE) {
    const { app, login, cookie } = await enter(t, { COOKIE_SECURE })
    const [name, value = ''] = cookie.split('=')
    const others = await Promise.all((['cookie', 'session'] as const).map((mode) => signIn(app, mode)))
    const foreign = others.map(({ credential }) => credential.cookie?.split('=')[1] ?? '')
    for (const forged of [
      '',
      'x',
      value.slice(0, -1),
      `${value}A`,
      `%76${value.slice(1)}`,
      login.json().data.token,
      ...foreign,
    ])
      refusedByCenter(t, await refreshBy(app, `${name}=${forged}`), 401, 'REFRESH_REFUSED', forged)
    t.equal((await refreshBy(app, cookie)).statusCode, 200, 'the good one is good')
    const otherName = COOKIE_SECURE === 'true' ? 'refresh' : '__Host-refresh'
    refusedByCenter(
      t,
      await refreshBy(app, `${otherName}=${value}`),
      400,
      'BODY_INVALID',
      'another name is no cookie of ours',
    )
  }
})

test('the refresh cookie is no credential anywhere else', async (t) => {
  const { app, cookie } = await enter(t)
  refusedByCenter(t, await userInfo(app, { cookie }), 403, 'NOT_SIGNED_IN')
  const value = cookie.split('=')[1]
  for (const name of ['identity', 'session'])
    refusedByCenter(t, await userInfo(app, { cookie: `${name}=${value}` }), 403, 'CREDENTIAL_INVALID', name)
  refusedByCenter(t, await userInfo(app, { authorization: `Bearer ${value}` }), 403, 'TOKEN_INVALID')
})

test('another site can neither set, use nor end a refresh cookie', async (t) => {
  const { app, cookie } = await enter(t)
  const foreign: Credential[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]
  for (const headers of foreign) {
    const answers = [
      await post(app, '/login_token', WITH_COOKIE, headers),
      await refreshBy(app, cookie, headers),
      await app.inject({ method: 'POST', url: '/logout_token', headers: { cookie, ...headers } }),
      await app.inject({ method: 'GET', url: '/logout_token', headers: { cookie, ...headers } }),
    ]
    for (const answer of answers) {
      refusedByCenter(t, answer, 403, 'CROSS_SITE')
      t.equal(answer.headers['set-cookie'], undefined)
    }
  }
  t.equal((await refreshBy(app, cookie)).statusCode, 200)
})

test('/logout_token ends the sign-in of the cookie, old or new, and clears it', async (t) => {
  for (const COOKIE_SECURE of SECURE) {
    for (const method of ['GET', 'POST'] as const) {
      const { app, login, cookie } = await enter(t, { COOKIE_SECURE })
      const next = await refreshBy(app, cookie)
      const out = await app.inject({ method, url: '/logout_token', headers: { cookie } })
      t.equal(out.statusCode, 200)
      const [cleared] = out.cookies
      const { name, httpOnly, sameSite, path, secure } = login.cookies[0] ?? {}
      t.match(cleared, { name, httpOnly, sameSite, path, value: '', maxAge: 0 })
      t.equal(cleared?.secure, secure)
      refusedByCenter(t, await refreshBy(app, cookieOf(next)), 401, 'REFRESH_REFUSED')
      refusedByCenter(t, await userInfo(app, bearerOf(next)), 403, 'SIGNED_OUT')
      const forged = { cookie: `${name}=x` }
      const again = await app.inject({ method, url: '/logout_token', headers: forged })
      t.match(again.cookies, [{ name, maxAge: 0 }], 'a forged one is cleared as well')
    }
  }
})

test('ending the own sign-in clears the refresh cookie', async (t) => {
  const { app, login, cookie } = await enter(t)
  const headers = { ...bearerOf(login), cookie }
  const ended = await app.inject({ method: 'DELETE', url: '/sign_ins', headers })
  t.match(ended.cookies, [{ name: 'refresh', value: '', maxAge: 0 }])
  refusedByCenter(t, await refreshBy(app, cookie), 401, 'REFRESH_REFUSED')
})

test('a new sign-in with a cookie ends the one whose cookie it replaces', async (t) => {
  const { app, login, cookie } = await enter(t)
  const wrong = await post(app, '/login_token', { ...WITH_COOKIE, password: 'wrong password' }, { cookie })
  refusedByCenter(t, wrong, 401, 'CREDENTIALS_REFUSED')
  t.equal((await userInfo(app, bearerOf(login))).statusCode, 200, 'a refused one ends nothing')
  const plain = await post(app, '/login_token', USER, { cookie })
  t.equal(plain.headers['set-cookie'], undefined)
  t.equal((await userInfo(app, bearerOf(login))).statusCode, 200, 'nor does one without a cookie')
  const second = await post(app, '/login_token', WITH_COOKIE, { cookie })
  refusedByCenter(t, await userInfo(app, bearerOf(login)), 403, 'SIGNED_OUT')
  t.equal((await refreshBy(app, cookieOf(second))).statusCode, 200)
  t.equal((await userInfo(app, bearerOf(plain))).statusCode, 200)
})

test('/settings says that a refresh cookie came', async (t) => {
  for (const COOKIE_SECURE of SECURE) {
    const { app, cookie } = await enter(t, { COOKIE_SECURE })
    const { data } = (await app.inject({ url: '/settings', headers: { cookie } })).json()
    t.match(data, { cookie_sent: true, refresh_sent: true })
  }
})
