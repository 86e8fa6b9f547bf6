import { ELSEWHERE, WRONG } from '../helpers/credential-kinds.js'
import { listen, refusedByCenter, sendRaw, USER } from '../helpers/http.js'
import type { Cell, Row } from './row.js'

const CHANGE = { current_password: 'a guess of it', new_password: 'three quiet ravens' }

/** The parts of a credential that anybody can decode. */
function decoded(text: string): string {
  return text
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    .join('\n')
}

const ofASignIn: Cell = async (t, center, kind) => {
  const held = await center.obtain(kind)
  const owner = await center.owner()
  t.equal((await center.use(kind, held.text, { from: ELSEWHERE })).statusCode, 200, 'it works from anywhere')
  t.notMatch(decoded(held.text), USER.password)
  const change = { method: 'POST', url: '/password', headers: held.headers, payload: CHANGE } as const
  const answer = await center.send(change)
  if (kind === 'API key') refusedByCenter(t, answer, 403, 'MODE_REQUIRED')
  else refusedByCenter(t, answer, 401, 'CREDENTIALS_REFUSED', 'a new password needs the old one')
  const list = (await center.send({ url: '/sign_ins', headers: owner })).json().data
  t.ok(
    list.some(({ id, ip }: { id: string; ip: string }) => id === held.signInId && ip),
    'its owner sees it',
  )
  t.equal((await center.endBy(owner, held)).statusCode, 200)
  await center.refusesEnded(t, held)
}

export const thief: Row = {
  every: ofASignIn,
  instead: {
    async refresh(t, center) {
      const held = await center.obtain('refresh')
      const next = await center.use('refresh', held.text)
      center.clock.advance(11)
      refusedByCenter(
        t,
        await center.use('refresh', held.text, { from: ELSEWHERE }),
        401,
        'REFRESH_REFUSED',
        'the thief',
      )
      const text = next.cookies.find(({ name }) => name === '__Host-refresh')?.value ?? ''
      await center.refusesEnded(t, { kind: 'refresh', text })
      await center.refusesEnded(t, { kind: 'token', text: next.json().data.token })
    },
    async 'device cookie'(t, center) {
      const held = await center.obtain('device cookie')
      for (const url of ['/sign_ins', '/user_info', '/live'])
        refusedByCenter(t, await center.send({ url, headers: held.headers }), 403, 'NOT_SIGNED_IN', url)
      t.notMatch(decoded(held.text), USER.password)
      t.notMatch(decoded(held.text), USER.username)
    },
  },
}

export const deviceThief: Row = {
  async every(t, center, kind) {
    await center.refusesAs(t, kind, await center.obtain('device cookie'))
  },
  instead: {
    async 'device cookie'(t, center) {
      const [held, other] = [await center.obtain('device cookie'), await center.obtain('device cookie')]
      const guess = (payload: object) => center.login('token', held.headers, payload, ELSEWHERE)
      refusedByCenter(t, await guess(WRONG), 401, 'CREDENTIALS_REFUSED', 'it needs the password')
      refusedByCenter(t, await guess(USER), 429, 'THROTTLED', 'its attempts are limited')
      await center.accepts(t, other, 'another device has its own')
      const account = await center.app.accounts.findByUsername(USER.username)
      await center.app.accounts.raiseEpoch(String(account?.id))
      await center.refusesEnded(t, other)
    },
  },
}

/** What a key may never do. */
const FOR_PEOPLE = [
  ['GET', '/api_keys'],
  ['POST', '/api_keys', { name: 'another' }],
  ['DELETE', '/sign_ins'],
  ['POST', '/password', { current_password: USER.password, new_password: 'three quiet ravens' }],
  ['GET', '/accounts'],
] as const

export const keyThief: Row = {
  async every(t, center, kind) {
    const key = await center.obtain('API key')
    const held = await center.obtain(kind)
    await center.refusesAs(t, kind, key)
    const headers = { ...held.headers, ...key.headers }
    refusedByCenter(
      t,
      await center.send({ method: 'DELETE', url: '/sign_ins', headers }),
      403,
      'MODE_REQUIRED',
      'beside it',
    )
    await center.accepts(t, held)
  },
  instead: {
    async token(t, center) {
      const [key, held] = [await center.obtain('API key'), await center.obtain('token')]
      await center.refusesAs(t, 'token', key)
      const port = await listen(center.app)
      // Only a parser of HTTP sees two lines.
      const lines = [key, held].map(({ text }) => `Authorization: Bearer ${text}\r\n`).join('')
      const request = `DELETE /sign_ins HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`
      t.match(await sendRaw(port, request), /^HTTP\/1\.1 400 [\s\S]*"error":"CREDENTIAL_AMBIGUOUS"/)
      await center.accepts(t, held)
    },
    async 'API key'(t, center) {
      const held = await center.obtain('API key')
      for (const [method, url, payload] of FOR_PEOPLE) {
        const answer = await center.send({ method, url, headers: held.headers, ...(payload && { payload }) })
        refusedByCenter(t, answer, 403, 'MODE_REQUIRED', `${method} ${url}`)
      }
      t.match(held.text, /^fik_\w{16}_\w{27}_\w{6}$/, 'a scanner can recognise it')
      const payload = { current_password: USER.password, new_password: 'three quiet ravens' }
      const headers = await center.owner()
      t.equal((await center.send({ method: 'POST', url: '/password', headers, payload })).statusCode, 200)
      await center.refusesEnded(t, held)
    },
  },
}
