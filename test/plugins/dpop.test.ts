import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { NONCE_PERIOD } from '../../plugins/lib/dpop/nonces.js'
import { boundClient, hashOf, proofKey } from '../helpers/dpop.js'
import { parts } from '../helpers/forge.js'
import { ALGORITHMS } from '../helpers/signing-key.js'
import { ALICE, START, type TokenAppOptions, tokenApp } from '../helpers/token-app.js'

const DPOP = { origins: ['https://example.com'] }
const ALGS = 'algs="ES256 EdDSA RS256"'

async function started(t: Test, options: TokenAppOptions = {}) {
  const events: object[] = []
  const context = await tokenApp(t, {
    ...options,
    token: { dpop: DPOP, ...options.token },
    after: async (app) => {
      app.audit.subscribe(({ time: _time, ip: _ip, ...event }) => void events.push(event))
      await options.after?.(app)
    },
  })
  return { ...context, events, client: boundClient(context.app) }
}

type Answer = Awaited<ReturnType<ReturnType<typeof boundClient>['me']>>

/** Asserts a refusal at a protected route by status, code and challenge. */
function challenged(t: Test, answer: Answer, code: string, challenge: string, message: string): void {
  const { statusCode, headers } = answer
  const got = [statusCode, answer.json().code, headers['www-authenticate']]
  t.strictSame(got, [401, code, challenge], message)
  const wantsNonce = code.startsWith('PROOF_')
  t.equal('dpop-nonce' in headers, wantsNonce, `${message}: ${wantsNonce ? 'a' : 'no'} nonce`)
}

const INVALID_PROOF = ['PROOF_INVALID', `DPoP error="invalid_dpop_proof", ${ALGS}`] as const
const INVALID_TOKEN = ['TOKEN_INVALID', `DPoP error="invalid_token", ${ALGS}`] as const

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: a login with a proof gives tokens that are bound to its key`, async (t) => {
    const { app, events } = await started(t)
    const client = boundClient(app, proofKey(algorithm))
    const pair = await client.login(ALICE)
    t.equal(pair.tokenType, 'DPoP')
    const jwk = JSON.stringify(Object.fromEntries(Object.entries(client.key.jwk).toSorted()))
    const jkt = createHash('sha256').update(jwk).digest('base64url')
    t.strictSame(parts(pair.token).payload.cnf, { jkt })
    const about = { accountId: ALICE.id, signInId: pair.signInId, mode: 'token' }
    t.strictSame(events, [
      { type: 'sign_in_bound', ...about },
      { type: 'signed_in', ...about },
    ])
    for (const url of ['/me', '/me?page=2']) {
      const answer = await client.send('GET', url, { token: pair.token })
      t.match(answer.json(), { accountId: ALICE.id, mode: 'token', signInId: pair.signInId }, url)
      t.notOk('dpop-nonce' in answer.headers)
    }
    const next = (await client.refresh(pair.refreshToken)).json()
    t.equal(next.tokenType, 'DPoP')
    t.strictSame(parts(next.token).payload.cnf, { jkt })
    t.equal((await client.me(next.token)).statusCode, 200)
    t.equal((await client.refresh(next.refreshToken)).statusCode, 200)
    t.strictSame(
      (await app.signIns.list(ALICE.id)).map(({ binding }) => binding),
      [`dpop:${jkt}`],
    )
  })
}

t.test(
  'a bound token without its key’s proof is refused, whether it was verified before or not',
  async (t) => {
    for (const isKnown of [false, true]) {
      const { app, client, me, events } = await started(t)
      const { token, signInId } = await client.login(ALICE)
      if (isKnown) t.equal((await client.me(token)).statusCode, 200)
      events.length = 0
      const under = (authorization: string) => app.inject({ url: '/me', headers: { authorization } })
      challenged(t, await under(`DPoP ${token}`), ...INVALID_PROOF, 'no proof')
      const bearer = await me(token)
      t.match([bearer.statusCode, bearer.json().code], [401, 'TOKEN_INVALID'])
      t.equal(bearer.headers['www-authenticate'], `Bearer error="invalid_token", DPoP ${ALGS}`)
      const thief = boundClient(app)
      challenged(t, await thief.me(token), ...INVALID_TOKEN, 'another key')
      const about = { type: 'proof_refused', accountId: ALICE.id, signInId, mode: 'token' }
      t.strictSame(
        events,
        ['missing', 'missing', 'other_key'].map((reason) => ({ ...about, reason })),
      )
      t.equal((await client.me(token)).statusCode, 200, 'the key’s owner is not disturbed')
    }
  },
)

t.test('each fault of a proof is refused with its code, and the owner’s next proof is good', async (t) => {
  const { client, events } = await started(t)
  const { token } = await client.login(ALICE)
  const other = await client.login(ALICE)
  events.length = 0
  const bad = {
    'another method': { htm: 'POST' },
    'another path': { htu: 'https://example.com/logout' },
    'another origin': { htu: 'http://localhost:80/me' },
    'no ath': { ath: undefined },
    'the ath of another token': { ath: hashOf(other.token) },
    'no jti': { jti: undefined },
  }
  for (const [name, proof] of Object.entries(bad))
    challenged(t, await client.me(token, proof), ...INVALID_PROOF, name)
  t.match(
    events,
    Object.keys(bad).map(() => ({ type: 'proof_refused', reason: 'invalid' })),
  )
  t.equal(events.length, Object.keys(bad).length)
  for (const nonce of [undefined, 'x']) {
    const challenge = `DPoP error="use_dpop_nonce", ${ALGS}`
    challenged(t, await client.me(token, { nonce }), 'PROOF_NONCE_REQUIRED', challenge, String(nonce))
  }
  t.equal(events.length, Object.keys(bad).length, 'a client without a nonce is no thief')
  t.equal((await client.me(token)).statusCode, 200)
})

t.test('a proof is good once, and a refused request does not spend it', async (t) => {
  const { app, client, events } = await started(t)
  const { token } = await client.login(ALICE)
  const { token: other } = await client.login(ALICE)
  const headersOf = async (changes = {}) => {
    const claims = { htu: 'https://example.com/me', ath: hashOf(token), nonce: await client.nonce() }
    return { dpop: client.key.prove({ ...claims, ...changes }), authorization: `DPoP ${token}` }
  }
  const headers = await headersOf()
  t.equal(
    (await app.inject({ url: '/me', headers: { ...headers, authorization: `DPoP ${other}` } })).statusCode,
    401,
  )
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 200)
  events.length = 0
  challenged(t, await app.inject({ url: '/me', headers }), ...INVALID_PROOF, 'again')
  t.match(events, [{ type: 'proof_refused', reason: 'spent' }])
  const [first, second] = await Promise.all([headersOf({ jti: 'a' }), headersOf({ jti: 'a' })])
  const at = await Promise.all([first, second].map((headers) => app.inject({ url: '/me', headers })))
  t.strictSame(at.map(({ statusCode }) => statusCode).toSorted(), [200, 401], 'one of two at once')
  const stranger = boundClient(app)
  const { token: theirs } = await stranger.login(ALICE)
  t.equal((await stranger.me(theirs, { jti: 'a' })).statusCode, 200, 'another client’s jti is another one')
})

t.test('several guards of one request take its proof as one', async (t) => {
  const { client } = await started(t, {
    after: async (app) => {
      const guards = [app.guard({ optional: true }), app.guard(), app.guard({ role: 'admin' })]
      app.get('/guarded', { onRequest: guards[0], preHandler: guards.slice(1) }, async () => 'in')
    },
  })
  const { token } = await client.login(ALICE)
  t.equal((await client.send('GET', '/guarded', { token })).body, 'in')
})

t.test('a sign-in under a bound token takes its proof as one, and replaces that sign-in', async (t) => {
  const { app, client } = await started(t)
  const { token } = await client.login(ALICE)
  const answer = await client.send('POST', '/login', { token, payload: { account: ALICE } })
  t.equal(answer.statusCode, 200)
  t.match((await client.me(token)).json(), { code: 'SIGNED_OUT' })
  t.strictSame(
    (await app.signIns.list(ALICE.id)).map(({ id }) => id),
    [answer.json().signInId],
  )
})

t.test('a nonce of the bucket before is accepted, and the answer has the next one', async (t) => {
  const { app, client, clock } = await started(t)
  const { token } = await client.login(ALICE)
  const nonce = await client.nonce()
  clock.now += NONCE_PERIOD
  const next = await client.nonce()
  const late = await client.me(token, { nonce })
  t.match([late.statusCode, late.headers['dpop-nonce']], [200, next])
  t.notOk('dpop-nonce' in (await client.me(token, { nonce: next })).headers)
  const login = await client.send('POST', '/login', { payload: { account: ALICE }, proof: { nonce } })
  t.match([login.statusCode, login.headers['dpop-nonce']], [200, next], 'a login too')
  clock.now += NONCE_PERIOD
  t.equal((await client.me(token, { nonce })).json().code, 'PROOF_NONCE_REQUIRED')
  t.equal((await client.me(token, { nonce: next })).statusCode, 200)
  t.ok(app)
})

t.test('an unbound token stays one, under its own scheme', async (t) => {
  const { app, client, login, me, refresh } = await started(t)
  const pair = await login()
  t.equal(pair.tokenType, 'Bearer')
  t.notOk('cnf' in parts(pair.token).payload)
  t.equal((await me(pair.token)).statusCode, 200)
  challenged(t, await client.me(pair.token), ...INVALID_TOKEN, 'under DPoP')
  t.equal((await me(pair.token)).statusCode, 200)
  t.match((await refresh(pair.refreshToken)).json(), { tokenType: 'Bearer' })
  const nobody = await app.inject({ url: '/me' })
  t.equal(nobody.headers['www-authenticate'], `Bearer, DPoP ${ALGS}`)
})

t.test('a malformed header of the scheme is refused like a malformed Bearer', async (t) => {
  const { app } = await started(t)
  for (const authorization of ['DPoP', 'dpop  a', 'DPoP a b', 'DPoP\ta', 'DPoP,a', 'DPoP a,b']) {
    const answer = await app.inject({ url: '/me', headers: { authorization } })
    t.match([answer.statusCode, answer.json().code], [400, 'CREDENTIAL_AMBIGUOUS'], authorization)
    t.equal(answer.headers['www-authenticate'], 'DPoP error="invalid_request"')
  }
  for (const authorization of ['DPoPx a', 'dpop-a b']) {
    const answer = await app.inject({ url: '/me', headers: { authorization } })
    t.equal(answer.json().code, 'NOT_SIGNED_IN', authorization)
  }
})

t.test('the scheme is found in any case', async (t) => {
  const { client } = await started(t)
  const { token } = await client.login(ALICE)
  for (const scheme of ['dpop', 'DPOP', 'DPoP']) {
    const headers = { authorization: `${scheme} ${token}` }
    t.equal((await client.send('GET', '/me', { token, headers })).statusCode, 200, scheme)
  }
})

t.test('a login with a bad proof signs nobody in', async (t) => {
  const { client, calls } = await started(t)
  const nonce = await client.nonce()
  calls.length = 0
  for (const [code, proof] of [
    ['PROOF_NONCE_REQUIRED', { nonce: undefined }],
    ['PROOF_NONCE_REQUIRED', { nonce: 'x' }],
    ['PROOF_INVALID', { nonce, htu: 'https://example.com/refresh' }],
  ] as const) {
    const answer = await client.send('POST', '/login', { payload: { account: ALICE }, proof })
    t.match([answer.statusCode, answer.json().code], [400, code])
    t.equal(answer.headers['dpop-nonce'], nonce)
  }
  t.strictSame(
    calls.filter((call) => call === 'addSignIn'),
    [],
  )
  const proof = { nonce, jti: 'once' }
  const twice = () => client.send('POST', '/login', { payload: { account: ALICE }, proof })
  t.equal((await twice()).statusCode, 200)
  t.match((await twice()).json(), { code: 'PROOF_INVALID' }, 'used again')
  t.equal(calls.filter((call) => call === 'addSignIn').length, 1)
})

t.test(
  'an ended sign-in and an expired token are refused under their own codes, and spend no proof',
  async (t) => {
    const { app, client, clock } = await started(t)
    const { token, signInId } = await client.login(ALICE)
    t.equal((await client.me(token)).statusCode, 200)
    await app.signIns.end({ accountId: ALICE.id, signInId })
    challenged(t, await client.me(token), 'SIGNED_OUT', INVALID_TOKEN[1], 'ended')
    const later = await client.login(ALICE)
    clock.now += 900_000
    challenged(t, await client.me(later.token), 'TOKEN_EXPIRED', INVALID_TOKEN[1], 'expired')
  },
)

t.test('signing out needs no proof: a thief can do nothing else', async (t) => {
  const { app, client, post } = await started(t)
  for (const scheme of ['DPoP', 'Bearer']) {
    const { token } = await client.login(ALICE)
    t.strictSame((await post('/logout', {}, { authorization: `${scheme} ${token}` })).json(), { ended: true })
    t.match((await client.me(token)).json(), { code: 'SIGNED_OUT' })
  }
  const { token, refreshToken } = await client.login(ALICE)
  t.strictSame((await post('/revoke', { token: refreshToken })).json(), { ended: true })
  t.match((await client.me(token)).json(), { code: 'SIGNED_OUT' })
  t.strictSame(await app.signIns.list(ALICE.id), [])
})

t.test('a full memory refuses with 503, and is free again when nonces are over', async (t) => {
  const { client, clock } = await started(t, { token: { dpop: { ...DPOP, memory: 2 } } })
  const { token } = await client.login(ALICE)
  t.equal((await client.me(token)).statusCode, 200)
  const full = await client.me(token)
  t.match([full.statusCode, full.json().code], [503, 'STORE_UNAVAILABLE'])
  t.equal(full.headers['retry-after'], '1')
  clock.now += 2 * NONCE_PERIOD
  t.equal((await client.me(token)).statusCode, 200)
})

t.test('without the option, a proof gives no token, and the scheme is none', async (t) => {
  const { app, login, me, calls } = await tokenApp(t)
  const key = proofKey()
  const { token, refreshToken } = await login()
  calls.length = 0
  for (const [url, payload] of [
    ['/login', { account: ALICE }],
    ['/refresh', { token: refreshToken }],
  ] as const) {
    const headers = { dpop: key.prove({ htm: 'POST', htu: `https://example.com${url}` }) }
    for (const dpop of [headers.dpop, ''])
      t.match((await app.inject({ method: 'POST', url, payload, headers: { dpop } })).json(), {
        statusCode: 400,
        code: 'PROOF_INVALID',
      })
  }
  t.strictSame(calls, [])
  const answer = await app.inject({ url: '/me', headers: { authorization: `DPoP ${token}` } })
  t.match([answer.json().code, answer.headers['www-authenticate']], ['NOT_SIGNED_IN', 'Bearer'])
  t.equal((await me(token)).statusCode, 200)
})

t.test('bound tokens are worth nothing at an instance without the option', async (t) => {
  const { client } = await started(t)
  const pair = await client.login(ALICE)
  const { me, app, calls } = await tokenApp(t)
  t.match((await me(pair.token)).json(), { code: 'TOKEN_INVALID' })
  const refreshed = await app.inject({
    method: 'POST',
    url: '/refresh',
    payload: { token: pair.refreshToken },
  })
  t.match(refreshed.json(), { statusCode: 400, code: 'PROOF_INVALID' })
  t.notOk(calls.includes('rotateRefresh'))
})

t.test('a wrong option stops the start', async (t) => {
  for (const [name, dpop] of [
    ['dpop', null],
    ['dpop', true],
    ['dpop.origins', {}],
    ['dpop.origins', { origins: ['http://example.com'] }],
    ['dpop.strict', { ...DPOP, strict: 'yes' }],
    ['dpop.memory', { ...DPOP, memory: 0 }],
    ['dpop.memory', { ...DPOP, memory: 1.5 }],
    ['dpop.memory', { ...DPOP, memory: 10, strict: true }],
    ['origin', { ...DPOP, origin: 'https://example.com' }],
  ] as const)
    await t.rejects(tokenApp(t, { token: JSON.parse(JSON.stringify({ dpop })) }), {
      code: 'OPTION_INVALID',
      message: new RegExp(`option ${name} `),
    })
})

t.test('the largest claims fit into a bound token as well', async (t) => {
  const { client } = await started(t)
  const claims = { x: 'x'.repeat(1900) }
  const answer = await client.send('POST', '/login', { payload: { account: ALICE, claims } })
  t.equal((await client.me(answer.json().token)).statusCode, 200)
  t.ok(START)
})
