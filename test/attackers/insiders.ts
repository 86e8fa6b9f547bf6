import { createPrivateKey, createSecretKey, sign } from 'node:crypto'
import type { Test } from 'tap'
import { KeyFormat } from '../../plugins/lib/api-key/format.js'
import type { Purpose } from '../../plugins/lib/credentials/keys.js'
import {
  type CredentialCenter,
  headersOf,
  type Kind,
  SECRET,
  secretPart,
} from '../helpers/credential-kinds.js'
import { keyOf, signed } from '../helpers/forge.js'
import { ADMIN, listen, refusedByCenter, sendRaw, USER } from '../helpers/http.js'
import { keyPair } from '../helpers/signing-key.js'
import type { Row } from './row.js'

const { privatePem } = keyPair('ES256')

/** The purpose whose key makes a kind. */
const PURPOSES: Partial<Record<Kind, Purpose>> = {
  cookie: 'cookie',
  session: 'session-id',
  refresh: 'refresh-token',
  'device cookie': 'device',
}

/** Keys that a holder of `TOKEN_PRIVATE_KEY`, or of the key for another kind, can make. */
function otherKeys(kind: Kind) {
  const purposes = Object.values(PURPOSES).filter((purpose) => purpose !== PURPOSES[kind])
  return [
    createSecretKey(privatePem, 'utf8'),
    keyOf(SECRET).key,
    ...purposes.map((each) => keyOf(SECRET, each).key),
  ]
}

const bodyOf = (text: string) => text.slice(0, text.lastIndexOf('.'))

export const secretHolder: Row = {
  env: async () => ({ TOKEN_PRIVATE_KEY: privatePem }),
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    const body = bodyOf(held.text)
    for (const key of otherKeys(kind)) await center.refusesInvented(t, kind, signed(body, key), 'another key')
    await center.accepts(t, held)
    // What SECURITY.md admits: a holder of AUTH_SECRETS can be anybody.
    t.equal(signed(body, keyOf(SECRET, PURPOSES[kind]).key), held.text)
  },
  instead: {
    async token(t, center) {
      const held = await center.obtain('token')
      const body = bodyOf(held.text)
      for (const key of otherKeys('token'))
        await center.refusesInvented(t, 'token', signed(body, key), 'an HMAC')
      // What SECURITY.md admits: the private key makes access tokens.
      const key = { key: createPrivateKey(privatePem), dsaEncoding: 'ieee-p1363' } as const
      const made = sign('sha256', Buffer.from(body), key).toString('base64url')
      await center.accepts(t, { kind: 'token', text: `${body}.${made}` })
    },
    async 'API key'(t, center) {
      // No secret makes a key, since only its hash in the database counts.
      await center.refusesInvented(t, 'API key', new KeyFormat('fik').make().key)
      await center.accepts(t, await center.obtain('API key'))
    },
  },
}

const LONG = 'x'.repeat(8000)

/** A sign-in and a key of somebody else. */
async function othersOf(center: CredentialCenter) {
  const headers = await center.admin()
  const { data } = (
    await center.send({ method: 'POST', url: '/api_keys', headers, payload: { name: 'theirs' } })
  ).json()
  const list = (await center.send({ url: '/sign_ins', headers })).json().data
  const { id } = list.find(({ current }: { current: boolean }) => current)
  return { headers, urls: [`/sign_ins/${id}`, `/api_keys/${data.id}`] }
}

async function sendsTooMuch(t: Test, center: CredentialCenter, kind: Kind): Promise<void> {
  await center.refusesInvented(t, kind, kind === 'API key' ? `fik_${LONG}` : LONG, 'a long one')
  const address = center.app.server.address()
  const port = address && typeof address === 'object' ? address.port : await listen(center.app)
  const [[name, value] = []] = Object.entries(headersOf(kind, LONG.repeat(3)))
  const answer = await sendRaw(port, `GET /sign_ins HTTP/1.1\r\nHost: x\r\n${name}: ${value}\r\n\r\n`)
  t.match(answer, /^HTTP\/1\.1 431 [\s\S]*"error":"HEADERS_TOO_LARGE"/)
}

export const maliciousUser: Row = {
  async every(t, center, kind) {
    const { headers: theirs, urls } = await othersOf(center)
    const held = await center.obtain(kind)
    for (const url of urls) {
      const answer = await center.send({ method: 'DELETE', url, headers: held.headers })
      if (kind === 'API key') refusedByCenter(t, answer, 403, 'MODE_REQUIRED', url)
      else refusedByCenter(t, answer, 404, 'NOT_FOUND', url)
    }
    const forbidden = kind === 'API key' ? 'MODE_REQUIRED' : 'ROLE_REQUIRED'
    refusedByCenter(t, await center.send({ url: '/accounts', headers: held.headers }), 403, forbidden)
    await sendsTooMuch(t, center, kind)
    t.equal((await center.send({ url: '/sign_ins', headers: theirs })).statusCode, 200)
    await center.accepts(t, held)
  },
  instead: {
    async refresh(t, center) {
      const { headers: theirs, urls } = await othersOf(center)
      const held = await center.obtain('refresh')
      for (const url of urls) {
        const answer = await center.send({ method: 'DELETE', url, headers: held.headers })
        refusedByCenter(t, answer, 403, 'NOT_SIGNED_IN', url)
      }
      await sendsTooMuch(t, center, 'refresh')
      const out = await center.send({ method: 'POST', url: '/logout_token', headers: held.headers })
      t.equal(out.statusCode, 200)
      t.equal((await center.send({ url: '/sign_ins', headers: theirs })).statusCode, 200, 'ends only its own')
    },
    async 'device cookie'(t, center) {
      const { headers } = await center.obtain('device cookie')
      const own = { ...ADMIN, password: 'a wrong password' }
      refusedByCenter(t, await center.login('cookie', {}, own), 401, 'CREDENTIALS_REFUSED')
      refusedByCenter(
        t,
        await center.login('cookie', headers, ADMIN),
        429,
        'THROTTLED',
        'no attempt at another account',
      )
      await sendsTooMuch(t, center, 'device cookie')
    },
  },
}

const PAGES = ['/accounts', '/sign_ins', '/settings', '/inspector'] as const

export const administrator: Row = {
  async every(t, center, kind) {
    const headers = await center.admin()
    const held = await center.obtain(kind)
    await center.accepts(t, held)
    for (const url of PAGES) {
      const { body } = await center.send({ url, headers })
      for (const text of [held.text, secretPart(held)]) t.notMatch(body, text, url)
    }
    const payload = { role: 'user' }
    const last = await center.send({ method: 'PATCH', url: '/accounts/admin', headers, payload })
    t.equal(last.statusCode, 409, 'the last administrator stays one')
    const url = `/accounts/${USER.username}/sign_ins`
    t.equal((await center.send({ method: 'DELETE', url, headers })).statusCode, 200)
    await center.refusesEnded(t, held)
    const admin = await center.app.accounts.findByUsername(ADMIN.username)
    const ended = { type: 'sign_in_ended', signInId: held.signInId, by: 'admin', actorId: admin?.id }
    // A device cookie belongs to no sign-in.
    if (held.signInId === '') return
    t.ok(
      center.events.some((event) =>
        Object.entries(ended).every(([name, value]) => Object(event)[name] === value),
      ),
      'an audit event names the administrator',
    )
  },
}
