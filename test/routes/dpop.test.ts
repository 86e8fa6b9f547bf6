import t, { type Test } from 'tap'
import { boundClient, CENTER, hashOf, proofKey } from '../helpers/dpop.js'
import { codeAt } from '../helpers/factor-center.js'
import { cookieOf, listen, post, refusedByCenter, USER } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const ALGS = 'algs="ES256 EdDSA RS256"'

async function start(t: Test, env: Record<string, string> = {}) {
  const center = await startUserCenter(t, env)
  const client = boundClient(center.app, proofKey(), CENTER)
  const login = async (payload: object = USER) => {
    const answer = await client.send('POST', '/login_token', { payload })
    return { answer, ...answer.json().data }
  }
  return { ...center, client, login }
}

t.test('a login with a proof gives bound tokens, and the list says so', async (t) => {
  const { app, clock, client, login } = await start(t)
  await post(app, '/login_token', USER)
  clock.advance(1)
  const { answer, token, token_type, refresh_token } = await login()
  t.equal(token_type, 'DPoP')
  t.equal(answer.headers['cache-control'], 'no-store')
  const me = await client.send('GET', '/user_info', { token })
  t.match(me.json(), { auth_type: 'token', data: { username: USER.username } })
  const { data } = (await client.send('GET', '/sign_ins?limit=10', { token })).json()
  t.match(data, [
    { bound: true, current: true },
    { bound: false, current: false },
  ])
  const payload = { refresh_token }
  const refreshed = (await client.send('POST', '/refresh_token', { payload })).json().data
  t.equal(refreshed.token_type, 'DPoP')
  t.equal((await client.send('GET', '/user_info', { token: refreshed.token })).statusCode, 200)
})

t.test('a copied token is 403 with a challenge, and says what is missing', async (t) => {
  const { app, client, login } = await start(t)
  const { token, refresh_token } = await login()
  const get = (authorization: string, headers = {}) =>
    app.inject({ url: '/user_info', headers: { authorization, ...headers } })
  const bare = await get(`DPoP ${token}`, { 'accept-language': 'zh' })
  refusedByCenter(t, bare, 403, 'PROOF_INVALID')
  t.equal(bare.json().msg, 'DPoP 证明缺失或无效。')
  t.equal(bare.headers['www-authenticate'], `DPoP error="invalid_dpop_proof", ${ALGS}`)
  t.equal(bare.headers['dpop-nonce'], await client.nonce())
  refusedByCenter(t, await get(`Bearer ${token}`), 403, 'TOKEN_INVALID')
  const noNonce = await client.send('GET', '/user_info', { token, proof: { nonce: undefined } })
  refusedByCenter(t, noNonce, 403, 'PROOF_NONCE_REQUIRED')
  t.equal(noNonce.headers['www-authenticate'], `DPoP error="use_dpop_nonce", ${ALGS}`)
  const refreshed = await post(app, '/refresh_token', { refresh_token })
  refusedByCenter(t, refreshed, 400, 'PROOF_INVALID')
  t.equal(refreshed.headers['dpop-nonce'], await client.nonce())
})

t.test('a request without the newest nonce is no attempt, at login and refresh', async (t) => {
  const env = { LOGIN_LIMIT_ACCOUNT: '2', LOGIN_LIMIT_ADDRESS: '3' }
  const { client, login } = await start(t, env)
  const without = { proof: { nonce: undefined } }
  for (let time = 0; time < 5; time++) {
    const answer = await client.send('POST', '/login_token', { payload: USER, ...without })
    refusedByCenter(t, answer, 400, 'PROOF_NONCE_REQUIRED')
  }
  const { refresh_token } = await login()
  for (let time = 0; time < 5; time++) {
    const answer = await client.send('POST', '/refresh_token', { payload: { refresh_token }, ...without })
    refusedByCenter(t, answer, 400, 'PROOF_NONCE_REQUIRED')
  }
  t.equal((await client.send('POST', '/refresh_token', { payload: { refresh_token } })).statusCode, 200)
})

t.test('a bad proof is refused before the password is looked at', async (t) => {
  const { app, client } = await start(t)
  let verified = 0
  const { accountSource } = app
  app.accountSource = {
    find: (id) => accountSource.find(id),
    verify: (...who) => {
      verified += 1
      return accountSource.verify(...who)
    },
  }
  for (const password of [USER.password, 'a wrong password']) {
    const payload = { ...USER, password }
    const answer = await client.send('POST', '/login_token', { payload, proof: { htm: 'GET' } })
    refusedByCenter(t, answer, 400, 'PROOF_INVALID')
  }
  t.equal(verified, 0)
  refusedByCenter(
    t,
    await client.send('POST', '/login_token', { payload: { ...USER, password: 'wrong' } }),
    401,
    'CREDENTIALS_REFUSED',
  )
  t.equal(verified, 1)
})

t.test('whatever changes a second factor takes a proof for that very request', async (t) => {
  const { app, clock, client, login } = await start(t)
  const { token } = await login()
  const other = client.key.prove({ htm: 'GET', htu: `${CENTER.origin}/user_info`, ath: hashOf(token) })
  const changes: [method: 'POST' | 'PATCH' | 'DELETE', url: string, payload: object][] = [
    ['POST', '/factors/totp', {}],
    ['POST', '/factors/totp/confirm', { id: 'x', code: '123456' }],
    ['POST', '/factors/recovery_codes', {}],
    ['POST', '/passkeys/options', {}],
    ['POST', '/passkeys', { response: {}, name: 'x' }],
    ['PATCH', '/factors/any', { name: 'x' }],
    ['DELETE', '/factors/any', {}],
    ['POST', '/step_up', { password: USER.password }],
  ]
  for (const [method, url, payload] of changes)
    for (const proof of [{}, { dpop: other }]) {
      const headers = { authorization: `DPoP ${token}`, ...proof }
      refusedByCenter(t, await app.inject({ method, url, headers, payload }), 403, 'PROOF_INVALID', url)
    }
  const { id, secret } = (await client.send('POST', '/factors/totp', { token, payload: {} })).json().data
  const payload = { id, code: codeAt(secret, clock()) }
  const added = await client.send('POST', '/factors/totp/confirm', { token, payload })
  t.equal(added.json().data.recovery_codes.length, 10)
})

t.test('the refresh cookie can be bound as well', async (t) => {
  const { app, client, login } = await start(t)
  const { answer, token_type, token } = await login({ ...USER, refresh_cookie: true })
  t.equal(token_type, 'DPoP')
  const headers = { cookie: cookieOf(answer) }
  refusedByCenter(
    t,
    await app.inject({ method: 'POST', url: '/refresh_token', headers }),
    400,
    'PROOF_INVALID',
  )
  const refreshed = await client.send('POST', '/refresh_token', { headers })
  t.match([refreshed.statusCode, refreshed.json().data.token_type], [200, 'DPoP'])
  const logout = await app.inject({ method: 'POST', url: '/logout_token', headers })
  t.equal(logout.statusCode, 200, 'signing out needs no proof')
  refusedByCenter(t, await client.send('GET', '/user_info', { token }), 403, 'SIGNED_OUT')
})

t.test('the address of a proof is the configured one, whatever the request says', async (t) => {
  const { app, client, login } = await start(t, { PUBLIC_URL: 'https://center.example', PORT: '3000' })
  const answer = await login()
  refusedByCenter(t, answer.answer, 400, 'PROOF_INVALID')
  const host = { host: 'localhost:3000', 'x-forwarded-host': 'localhost:3000' }
  const spoofed = await client.send('POST', '/login_token', { payload: USER, headers: host })
  refusedByCenter(t, spoofed, 400, 'PROOF_INVALID')
  const there = boundClient(app, client.key, { ...CENTER, origin: 'https://center.example' })
  t.equal((await there.send('POST', '/login_token', { payload: USER })).statusCode, 200)
})

t.test(
  'in production without PUBLIC_URL, a login with a proof is refused, never silently unbound',
  async (t) => {
    const env = { NODE_ENV: 'production', SINGLE_INSTANCE: 'true', REGISTRATION: 'open' }
    const AUTH_SECRETS = 'Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldCAxMjM0NTY3ODkw'
    const { app, client } = await start(t, { ...env, AUTH_SECRETS })
    const payload = { username: 'somebody', password: 'a long enough password' }
    t.equal((await app.inject({ method: 'POST', url: '/register', payload })).statusCode, 201)
    const headers = { dpop: client.key.prove({ htm: 'POST', htu: 'http://localhost:3000/login_token' }) }
    refusedByCenter(
      t,
      await app.inject({ method: 'POST', url: '/login_token', payload, headers }),
      400,
      'PROOF_INVALID',
    )
    const { data } = (await post(app, '/login_token', payload)).json()
    t.equal(data.token_type, 'Bearer')
  },
)

t.test('in development, localhost and 127.0.0.1 are one server', async (t) => {
  const { app, client } = await start(t)
  const there = boundClient(app, client.key, { ...CENTER, origin: 'http://127.0.0.1:3000' })
  t.equal((await there.send('POST', '/login_token', { payload: USER })).statusCode, 200)
  const other = boundClient(app, client.key, { ...CENTER, origin: 'http://127.0.0.1:3001' })
  refusedByCenter(t, await other.send('POST', '/login_token', { payload: USER }), 400, 'PROOF_INVALID')
})

t.test('a live stream opens with a proof, and ends with its sign-in', async (t) => {
  const { app, client, login } = await start(t)
  const { token } = await login()
  const port = await listen(app)
  const open = (dpop: string) =>
    fetch(`http://127.0.0.1:${port}/live`, { headers: { authorization: `DPoP ${token}`, dpop } })
  const claims = { htu: `${CENTER.origin}/live`, ath: hashOf(token), nonce: await client.nonce() }
  const proof = client.key.prove(claims)
  const stream = await open(proof)
  t.equal(stream.status, 200)
  const again = await open(proof)
  t.match([again.status, await again.json()], [403, { error: 'PROOF_INVALID' }])
  t.equal((await post(app, '/logout_token', {}, { authorization: `DPoP ${token}` })).statusCode, 200)
  t.match(await stream.text(), /event: hello[\s\S]*event: signed_out\ndata: \{"error":"SIGNED_OUT"\}/)
})
