import * as dpop from 'dpop'
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { NONCE_PERIOD } from '../../plugins/lib/dpop/nonces.js'
import { proofKey } from '../helpers/dpop.js'
import { listen, sendRaw } from '../helpers/http.js'
import { ALICE, tokenApp } from '../helpers/token-app.js'

/*
 * Clients that others wrote, over a socket. They see `https://example.com`, as behind a proxy that ends TLS.
 */

const ORIGIN = 'https://example.com'
const ALGORITHMS = ['ES256', 'Ed25519', 'RS256'] as const

async function start(t: Test) {
  const context = await tokenApp(t, { token: { dpop: { origins: [ORIGIN] } } })
  const port = await listen(context.app)
  const local = (url: string | URL) => new URL(String(url).replace(ORIGIN, `http://127.0.0.1:${port}`))
  const send = (url: string | URL, init?: RequestInit) => fetch(local(url), init)
  return { ...context, port, send }
}

type Started = Awaited<ReturnType<typeof start>>

/** Sends a request as the README of `dpop` does: again with the nonce, if the answer gives one. */
async function sendProved(
  { send }: Started,
  pair: dpop.KeyPair,
  method: string,
  path: string,
  options: object = {},
) {
  const { token, body } = { token: undefined, body: undefined, ...options } as {
    token?: string
    body?: object
  }
  let nonce: string | undefined
  const once = async () => {
    const proof = await dpop.generateProof(pair, `${ORIGIN}${path}`, method, nonce, token)
    const headers = new Headers({ dpop: proof, ...(body && { 'content-type': 'application/json' }) })
    if (token) headers.set('authorization', `DPoP ${token}`)
    const answer = await send(`${ORIGIN}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    })
    nonce = answer.headers.get('dpop-nonce') ?? nonce
    return answer
  }
  const first = await once()
  return first.status === 400 || first.status === 401 ? once() : first
}

for (const algorithm of ALGORITHMS) {
  t.test(`dpop, with ${algorithm}: login, requests and refreshes`, async (t) => {
    const context = await start(t)
    const pair = await dpop.generateKeyPair(algorithm)
    const jkt = await dpop.calculateThumbprint(pair.publicKey)
    const login = await sendProved(context, pair, 'POST', '/login', { body: { account: ALICE } })
    t.equal(login.status, 200)
    let { token, tokenType, refreshToken } = JSON.parse(await login.text())
    for (let round = 0; round < 3; round++) {
      t.equal(tokenType, 'DPoP')
      t.equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).cnf.jkt, jkt)
      const me = await sendProved(context, pair, 'GET', '/me', { token })
      t.match([me.status, await me.json()], [200, { accountId: ALICE.id }])
      const refreshed = await sendProved(context, pair, 'POST', '/refresh', { body: { token: refreshToken } })
      t.equal(refreshed.status, 200)
      ;({ token, tokenType, refreshToken } = JSON.parse(await refreshed.text()))
    }
    const thief = await dpop.generateKeyPair(algorithm)
    t.equal((await sendProved(context, thief, 'GET', '/me', { token })).status, 401)
    const stolen = await sendProved(context, thief, 'POST', '/refresh', { body: { token: refreshToken } })
    t.match(await stolen.json(), { code: 'REFRESH_REFUSED' })
  })

  t.test(`oauth4webapi, with ${algorithm}: it finds the words of the RFC`, async (t) => {
    const context = await start(t)
    const { send, clock } = context
    const pair = await oauth.generateKeyPair(algorithm)
    const body = { account: ALICE }
    const { token } = JSON.parse(await (await sendProved(context, pair, 'POST', '/login', { body })).text())
    const handle = oauth.DPoP({}, pair)
    const get = (path: string, token: string, DPoP = handle) =>
      oauth.protectedResourceRequest(token, 'GET', new URL(path, ORIGIN), undefined, undefined, {
        DPoP,
        [oauth.customFetch]: (url: string, init: object) => send(url, init),
      })
    const failed = async (path: string, token: string, DPoP?: oauth.DPoPHandle) => {
      try {
        await get(path, token, DPoP)
      } catch (error) {
        return error
      }
      return undefined
    }
    t.ok(oauth.isDPoPNonceError(await failed('/me', token)), 'it is asked for a nonce')
    t.equal((await get('/me?page=1', token)).status, 200, 'and has kept it')
    t.equal((await get('/me', token)).status, 200)
    clock.now += NONCE_PERIOD
    t.equal((await get('/me', token)).status, 200, 'the nonce before; the answer has the next')
    clock.now += NONCE_PERIOD
    t.equal((await get('/me', token)).status, 200, 'so that no request is refused')
    const thief = oauth.DPoP({}, await oauth.generateKeyPair(algorithm))
    t.ok(oauth.isDPoPNonceError(await failed('/me', token, thief)))
    const stolen = await failed('/me', token, thief)
    t.ok(stolen instanceof oauth.WWWAuthenticateChallengeError)
    if (stolen instanceof oauth.WWWAuthenticateChallengeError) {
      const parameters = { error: 'invalid_token', algs: 'ES256 EdDSA RS256' }
      t.match(stolen.cause, [{ scheme: 'dpop', parameters }])
      t.equal(stolen.cause.length, 1)
    }
  })
}

t.test('two DPoP lines are refused, and so is a proof beside an empty one', async (t) => {
  const { port, app } = await start(t)
  const key = proofKey()
  const nonceOf = async (account: object) => {
    const headers = { dpop: key.prove({ htm: 'POST', htu: `${ORIGIN}/login` }) }
    return (await app.inject({ method: 'POST', url: '/login', payload: { account }, headers })).headers[
      'dpop-nonce'
    ]
  }
  const nonce = await nonceOf(ALICE)
  const body = JSON.stringify({ account: ALICE })
  const prove = () => key.prove({ htm: 'POST', htu: `${ORIGIN}/login`, nonce })
  const send = (lines: string) =>
    sendRaw(
      port,
      `POST /login HTTP/1.1\r\nHost: x\r\n${lines}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    )
  for (const lines of [
    `DPoP: ${prove()}\r\nDPoP: ${prove()}\r\n`,
    `DPoP: ${prove()}\r\ndpop:\r\n`,
    `DPoP:\r\nDPoP: ${prove()}\r\n`,
    'DPoP:\r\n',
  ])
    t.match(
      await send(lines),
      /^HTTP\/1\.1 400 [\s\S]*PROOF_INVALID/,
      JSON.stringify(lines.replace(/ey\S+/g, '…')),
    )
  t.match(await send(`DPoP: ${prove()}\r\n`), /^HTTP\/1\.1 200 [\s\S]*"tokenType":"DPoP"/)
})
