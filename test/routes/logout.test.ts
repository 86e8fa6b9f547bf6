import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import {
  type Credential,
  listen,
  MODES,
  type Mode,
  post,
  refusedByCenter,
  sendRaw,
  signIn,
  userInfo,
} from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const METHODS = ['GET', 'POST'] as const

async function logout(
  app: FastifyInstance,
  mode: Mode,
  headers: Credential,
  method: 'GET' | 'POST' | 'HEAD' = 'POST',
) {
  return app.inject({ method, url: `/logout_${mode}`, headers })
}

test('a logout ends the sign-in: its credential is refused from then on', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    for (const method of METHODS) {
      const { credential } = await signIn(app, mode)
      const response = await logout(app, mode, credential, method)
      t.match(response.json(), { code: 200, auth_type: mode }, `${method} /logout_${mode}`)
      t.equal(response.headers['cache-control'], 'no-store')
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', mode)
    }
  }
})

test('a logout clears the cookie with the attributes it was set with', async (t) => {
  for (const COOKIE_SECURE of ['true', 'false']) {
    const { app } = await startUserCenter(t, { COOKIE_SECURE })
    for (const mode of ['cookie', 'session'] as const) {
      const { response, credential } = await signIn(app, mode)
      const cleared = (await logout(app, mode, credential)).cookies[0]
      const { name, httpOnly, sameSite, path, secure } = response.cookies[0] ?? {}
      t.match(cleared, { name, httpOnly, sameSite, path, value: '', maxAge: 0 })
      t.equal(cleared?.secure, secure)
    }
  }
})

test('logging out twice, or when not logged in, is 200 and does nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const other = await signIn(app, 'cookie')
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    for (let time = 0; time < 2; time++) t.equal((await logout(app, mode, credential)).statusCode, 200)
    const without = await logout(app, mode, {})
    t.equal(without.statusCode, 200)
    t.equal(without.headers['set-cookie'], undefined)
    const junk: Credential =
      mode === 'token' ? { authorization: 'Bearer junk' } : { cookie: 'session=junk; identity=junk' }
    t.equal((await logout(app, mode, junk)).statusCode, 200)
  }
  t.equal((await userInfo(app, other.credential)).statusCode, 200)
})

test('a logout ends its own mode alone', async (t) => {
  const { app } = await startUserCenter(t)
  const cookie = await signIn(app, 'cookie')
  const session = await signIn(app, 'session')
  const both = { cookie: `${cookie.credential.cookie}; ${session.credential.cookie}` }
  await logout(app, 'session', both)
  t.equal((await userInfo(app, both)).json().auth_type, 'cookie')
})

test('/logout_token kills the access and the refresh token, whichever of them came', async (t) => {
  const { app } = await startUserCenter(t)
  const byAccess = await signIn(app, 'token')
  await logout(app, 'token', byAccess.credential)
  const byRefresh = await signIn(app, 'token')
  t.equal((await post(app, '/logout_token', { refresh_token: byRefresh.refreshToken })).statusCode, 200)
  for (const { credential, refreshToken } of [byAccess, byRefresh]) {
    refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
    refusedByCenter(
      t,
      await post(app, '/refresh_token', { refresh_token: refreshToken }),
      401,
      'REFRESH_REFUSED',
    )
  }
})

test('/logout_token ends a sign-in by an expired access token and by an old refresh token, without alarm', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const expired = await signIn(app, 'token')
  clock.advance(901)
  await logout(app, 'token', expired.credential)
  refusedByCenter(
    t,
    await post(app, '/refresh_token', { refresh_token: expired.refreshToken }),
    401,
    'REFRESH_REFUSED',
  )

  const old = await signIn(app, 'token')
  const next = await post(app, '/refresh_token', { refresh_token: old.refreshToken })
  const last = await post(app, '/refresh_token', { refresh_token: next.json().data.refresh_token })
  await post(app, '/logout_token', { refresh_token: old.refreshToken })
  refusedByCenter(
    t,
    await userInfo(app, { authorization: `Bearer ${last.json().data.token}` }),
    403,
    'SIGNED_OUT',
  )
})

test('/logout_token reads JSON where there is any, and only JSON of its form', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'token')
  const url = '/logout_token'
  for (const payload of ['{"refresh_token":', '{"refresh_token":7}', '[]', '"x"', '{"other":"x"}']) {
    const headers = { ...credential, 'content-type': 'application/json' }
    refusedByCenter(
      t,
      await app.inject({ method: 'POST', url, headers, payload }),
      400,
      'BODY_INVALID',
      payload,
    )
  }
  t.equal((await userInfo(app, credential)).statusCode, 200, 'nothing was ended')
  const forged = await post(app, url, { refresh_token: 'v1.forged' })
  t.equal(forged.statusCode, 200)
  t.equal((await userInfo(app, credential)).statusCode, 200)
})

test('logouts ignore body and content type', async (t) => {
  const { app } = await startUserCenter(t)
  const port = await listen(app)
  for (const mode of MODES) {
    for (const type of ['text/plain', 'application/xml', 'nonsense', 'application/x-www-form-urlencoded']) {
      const { credential } = await signIn(app, mode)
      const [[name, value] = []] = Object.entries(credential)
      const answer = await sendRaw(
        port,
        `POST /logout_${mode} HTTP/1.1\r\nHost: 127.0.0.1\r\n${name}: ${value}\r\nContent-Type: ${type}\r\n` +
          `Content-Length: 5\r\nConnection: close\r\n\r\n{"a":`,
      )
      t.match(answer, /^HTTP\/1\.1 200 /, `${mode}: ${type}`)
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', `${mode}: ${type}`)
    }
  }
})

test('a logout that names a type and has no body is a logout', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    const headers = { ...credential, 'content-type': 'application/json' }
    t.equal((await logout(app, mode, headers)).statusCode, 200, mode)
    refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', mode)
  }
})

test('another site’s form, link or image cannot sign anybody out', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    const foreign: Credential[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ]
    const unlabelled: Credential[] = [{ accept: 'text/html,*/*' }, { accept: 'image/avif,image/webp,*/*' }]
    for (const method of METHODS) {
      for (const headers of method === 'GET' ? [...foreign, ...unlabelled] : foreign) {
        const response = await logout(app, mode, { ...credential, ...headers }, method)
        refusedByCenter(t, response, 403, 'CROSS_SITE', `${method} ${JSON.stringify(headers)}`)
        t.equal(response.headers['set-cookie'], undefined)
      }
    }
    refusedByCenter(
      t,
      await logout(app, mode, foreign[0] ?? {}),
      403,
      'CROSS_SITE',
      'without a credential too',
    )
    const prefetch = await logout(app, mode, { ...credential, 'sec-purpose': 'prefetch' }, 'GET')
    refusedByCenter(t, prefetch, 403, 'PREFETCH')
    await logout(app, mode, credential, 'HEAD')
    t.equal((await userInfo(app, credential)).statusCode, 200, `${mode}: still signed in after all of it`)
    const own = { ...credential, 'sec-fetch-site': 'same-origin', accept: 'text/html' }
    t.equal((await logout(app, mode, own, 'GET')).statusCode, 200, 'our own link does')
  }
})
