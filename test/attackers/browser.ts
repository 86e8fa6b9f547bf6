import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import {
  type CredentialCenter,
  type Held,
  headersOf,
  isCookie,
  secretPart,
  WRONG,
} from '../helpers/credential-kinds.js'
import { refusedByCenter, USER } from '../helpers/http.js'
import type { Cell, Row } from './row.js'

const CROSS = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }

/** The attributes with which the credential's cookie was set. */
function attributesOf({ answer, text }: Held) {
  return answer.cookies.find(({ value }) => value === text)
}

function crossSite(t: Test, answer: LightMyRequestResponse, why: string): void {
  refusedByCenter(t, answer, 403, 'CROSS_SITE', why)
  t.equal(answer.headers['set-cookie'], undefined, `${why}: no cookie is set or cleared`)
  t.equal(answer.headers['access-control-allow-origin'], undefined, `${why}: nobody there can read it`)
}

const browserSendsIt: Cell = async (t, center, kind) => {
  const held = await center.obtain(kind)
  t.equal(attributesOf(held)?.sameSite, 'Lax')
  const headers = { ...held.headers, ...CROSS }
  const change = { current_password: USER.password, new_password: 'three quiet ravens' }
  crossSite(t, await center.send({ method: 'DELETE', url: '/sign_ins', headers }), 'a change')
  crossSite(
    t,
    await center.send({ method: 'POST', url: '/password', headers, payload: change }),
    'a password',
  )
  for (const method of ['GET', 'POST'] as const)
    crossSite(t, await center.send({ method, url: `/logout_${kind}`, headers }), `a logout by ${method}`)
  const upgrade = { ...headers, upgrade: 'websocket', connection: 'upgrade' }
  crossSite(t, await center.send({ url: '/sign_ins', headers: upgrade }), 'a handshake')
  await center.accepts(t, held)
}

/** No browser adds it, so a request from another site comes without it. */
const browserDoesNotSendIt: Cell = async (t, center, kind) => {
  const { answer, text } = await center.obtain(kind)
  t.notMatch(String(answer.headers['set-cookie'] ?? ''), text, 'it is in no cookie')
  for (const method of ['GET', 'DELETE'] as const)
    refusedByCenter(t, await center.send({ method, url: '/sign_ins', headers: CROSS }), 403, 'NOT_SIGNED_IN')
  const asked = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
  const preflight = await center.send({
    method: 'OPTIONS',
    url: '/sign_ins',
    headers: { ...CROSS, ...asked },
  })
  t.equal(preflight.headers['access-control-allow-origin'], undefined, 'no script there may send it')
}

export const anotherSite: Row = {
  every: browserSendsIt,
  instead: {
    token: browserDoesNotSendIt,
    'API key': browserDoesNotSendIt,
    async refresh(t, center) {
      const held = await center.obtain('refresh')
      crossSite(t, await center.use('refresh', held.text, { headers: CROSS }), 'a refresh')
      const headers = { ...held.headers, ...CROSS }
      crossSite(t, await center.send({ method: 'POST', url: '/logout_token', headers }), 'a logout')
      await center.accepts(t, held)
    },
    async 'device cookie'(t, center) {
      const held = await center.obtain('device cookie')
      t.equal(attributesOf(held)?.sameSite, 'Lax')
      const answer = await center.login('cookie', { ...held.headers, ...CROSS }, WRONG)
      crossSite(t, answer, 'a login')
      await center.accepts(t, held, 'the attempt was not counted')
    },
  },
}

/** Answers that a script of the page can read. */
const READABLE = ['/', '/user_info', '/sign_ins', '/api_keys', '/settings', '/inspector'] as const

async function readsNothing(t: Test, center: CredentialCenter, held: Held): Promise<void> {
  const { cookie } = await center.owner()
  const headers = { ...held.headers, cookie: [held.headers.cookie, cookie].filter(Boolean).join('; ') }
  const own = held.kind === 'session' || held.kind === 'cookie' ? held.headers : headers
  for (const url of READABLE) {
    const { body } = await center.send({ url, headers: own })
    t.notMatch(body, held.text, url)
    t.notMatch(body, secretPart(held), url)
  }
}

export const script: Row = {
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    t.equal(attributesOf(held)?.httpOnly, true)
    t.notMatch(held.answer.body, held.text, 'the answer that sets it')
    await readsNothing(t, center, held)
    const policy = String((await center.send({ url: '/' })).headers['content-security-policy'])
    t.match(policy, /script-src 'self'(;|$)/)
    t.match(policy, /require-trusted-types-for 'script'/)
  },
  instead: {
    async token(t, center) {
      const held = await center.obtain('token')
      await readsNothing(t, center, held)
      center.clock.advance(900)
      refusedByCenter(
        t,
        await center.use('token', held.text),
        403,
        'TOKEN_EXPIRED',
        'one that was read ends soon',
      )
    },
    async 'API key'(t, center) {
      const held = await center.obtain('API key')
      t.match(held.answer.body, held.text, 'it is shown once')
      await readsNothing(t, center, held)
    },
  },
}

export const refreshCookie: Row = {
  async every(t, center, kind) {
    const refresh = await center.obtain('refresh')
    const held = await center.obtain(kind)
    await center.refusesAs(t, kind, refresh)
    await center.refusesAs(t, 'refresh', held)
    await center.accepts(t, held)
  },
  instead: {
    async refresh(t, center) {
      const held = await center.obtain('refresh')
      t.equal(attributesOf(held)?.sameSite, 'Strict')
      for (const site of ['cross-site', 'same-site']) {
        const from = { 'sec-fetch-site': site, origin: 'https://app.example.com' }
        const headers = { ...held.headers, ...from }
        const login = await center.login('token', headers, { ...USER, refresh_cookie: true })
        crossSite(t, login, `a login, ${site}`)
        crossSite(t, await center.use('refresh', held.text, { headers: from }), `a refresh, ${site}`)
        crossSite(
          t,
          await center.send({ method: 'POST', url: '/logout_token', headers }),
          `a logout, ${site}`,
        )
      }
      await center.accepts(t, held)
    },
  },
}

export const observer: Row = {
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    const { headers } = held.answer
    t.match(headers['strict-transport-security'], /^max-age=31536000/)
    t.equal(headers['cache-control'], 'no-store')
    if (isCookie(kind)) {
      t.match(attributesOf(held), { secure: true, path: '/', name: /^__Host-/ })
      t.equal(attributesOf(held)?.domain, undefined)
    }
    // Addresses are in the logs of proxies.
    const name = Object.values(headersOf(kind, ''))[0]?.split('=')[0]
    for (const query of [`access_token=${held.text}`, `${name}=${held.text}`])
      refusedByCenter(
        t,
        await center.send({ url: `/user_info?${encodeURI(query)}` }),
        403,
        'NOT_SIGNED_IN',
        query,
      )
  },
}
