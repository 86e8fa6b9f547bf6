import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { createKeyRing, type Purpose } from '../../plugins/lib/credentials/keys.js'
import { encodeJson, signValue, verifyValue } from '../../plugins/lib/credentials/signed-value.js'
import { cookieSpec } from '../../plugins/lib/http/cookies.js'
import { newSessionId, sessionKeyOf } from '../../plugins/lib/session/cookie.js'
import { seal } from '../../plugins/lib/session/seal.js'
import { DeviceCookie } from '../../plugins/lib/throttle/device-cookie.js'
import { DeviceClient, offersOf, signedJwt } from '../helpers/device-client.js'
import { forge, keyOf, parts, signed } from '../helpers/forge.js'
import { hostilePayloads, hostileTexts } from '../helpers/hostile.js'
import { ALICE, SECRET, START, sessionApp } from '../helpers/session-app.js'
import { keyPair } from '../helpers/signing-key.js'
import { startUserCenter } from '../helpers/user-center.js'

/*
 * What stands behind a good MAC is ours, unless a key has leaked or a version of ours was wrong. Even then it is
 * refused, or taken for what it says: it never makes the server fail, and what is refused has changed nothing.
 */

const RUNS = { numRuns: 100 }

/** A password and a code. */
const FACTORS = 'Pta2jpsTta2jpt'
const METHODS =
  /^(P[1-9a-z][0-9a-z]*)?(X[1-9a-z][0-9a-z]*)?(T[1-9a-z][0-9a-z]*)?(R[1-9a-z][0-9a-z]*)?(K[1-9a-z][0-9a-z]*)?$/

const keysFor = (purpose: Purpose) => createKeyRing([SECRET]).purpose(purpose)
const forged = (purpose: Purpose, payload: string) => signValue(keysFor(purpose), payload)

const CHANGES = ['addSignIn', 'rotateRefresh', 'endSignIn', 'endSignIns', 'raiseEpoch'] as const
const SESSION_CHANGES = ['createSession', 'replaceSession', 'destroySession'] as const

/** The user center, who is signed in there by every mode, and which changes were asked of its store. */
async function started(t: Test) {
  const { app, clock } = await startUserCenter(t, { AUTH_SECRETS: SECRET, LOGIN_LIMIT_ADDRESS: '100000' })
  const payload = { username: 'user1', password: 'user123' }
  const login = async (mode: string) => app.inject({ method: 'POST', url: `/login_${mode}`, payload })
  const cookie = (await login('cookie')).cookies.find(({ name }) => name === 'identity')?.value ?? ''
  const { token, refresh_token } = (await login('token')).json().data
  return { app, clock, cookie, token, refreshToken: refresh_token, changes: watchChanges(app) }
}

function watchChanges({ stateStore }: FastifyInstance): string[] {
  const changes: string[] = []
  for (const name of [...CHANGES, ...SESSION_CHANGES]) {
    const real = Reflect.get(stateStore, name)
    Reflect.set(stateStore, name, (...args: unknown[]) => {
      changes.push(name)
      return Reflect.apply(real, stateStore, args)
    })
  }
  return changes
}

const contentOf = (value: string) =>
  JSON.parse(Buffer.from(value.split('.')[1 + Number(value.startsWith('v1.'))] ?? '', 'base64url').toString())

/** Asks the routes that show most of an identity. Whatever they say, they have changed nothing by being asked. */
async function ask(app: FastifyInstance, headers: Record<string, string>, changes: string[]): Promise<void> {
  for (const url of ['/user_info', '/inspector']) {
    const { statusCode, body } = await app.inject({ url, headers })
    if (![200, 400, 403].includes(statusCode)) throw new Error(`${url}: ${statusCode} ${body}`)
    if (changes.length > 0) throw new Error(`${url} changed something: ${changes}`)
  }
}

t.test('an auth cookie', async (t) => {
  const { app, cookie, changes } = await started(t)
  await ask(app, { cookie: `identity=${cookie}` }, changes)
  const content = contentOf(cookie)
  // A time that is no date: one second more than the last (ECMA-262 §21.4.1.1).
  for (const name of ['auth_time', 'iat', 'exp']) {
    const later = Buffer.from(JSON.stringify({ ...content, [name]: 8.64e12 + 1 })).toString('base64url')
    await ask(app, { cookie: `identity=${forged('cookie', later)}` }, changes)
  }
  for (const genuine of [content, { ...content, fac: FACTORS }]) {
    const property = fc.asyncProperty(hostilePayloads(genuine), (payload) =>
      ask(app, { cookie: `identity=${forged('cookie', payload)}` }, changes),
    )
    await fc.assert(property, RUNS)
  }
})

t.test('the factors of a cookie and of a token are refused, or are what they say', async (t) => {
  const { app, cookie, token, changes } = await started(t)
  const { header, payload } = parts(token)
  const texts = fc.oneof(
    fc.stringMatching(/^([PXTRK][0-9a-z]{1,9}){1,6}$/),
    fc.stringMatching(/^[A-Za-z0-9]{0,12}$/),
    fc.string(),
  )
  const property = fc.asyncProperty(texts, async (fac) => {
    const signed = forged('cookie', encodeJson({ ...contentOf(cookie), fac }))
    const bearer = `Bearer ${forge(header, JSON.stringify({ ...payload, fac }), keyOf(SECRET).key)}`
    const both: Record<string, string>[] = [{ cookie: `identity=${signed}` }, { authorization: bearer }]
    for (const headers of both) {
      await ask(app, headers, changes)
      const { statusCode } = await app.inject({ url: '/inspector', headers })
      const [first = ''] = [...(METHODS.exec(fac) ?? [])]
      if (statusCode === 200 && first !== fac) throw new Error(`taken for factors: ${fac}`)
    }
  })
  await fc.assert(property, RUNS)
})

t.test('an access token', async (t) => {
  const { app, token, changes } = await started(t)
  const { key } = keyOf(SECRET)
  const [header = ''] = token.split('.')
  const { payload } = parts(token)
  const strong = {
    ...payload,
    fac: FACTORS,
    amr: ['pwd', 'otp', 'mfa'],
    acr: 'urn:fastify-identity:factors:2',
  }
  for (const genuine of [payload, strong]) {
    const property = fc.asyncProperty(hostilePayloads(genuine), (payload) =>
      ask(app, { authorization: `Bearer ${signed(`${header}.${payload}`, key)}` }, changes),
    )
    await fc.assert(property, RUNS)
  }
})

t.test('the header of an access token', async (t) => {
  const { app, token } = await started(t)
  const { header, payload } = parts(token)
  const { key } = keyOf(SECRET)
  const property = fc.asyncProperty(hostileTexts(header), async (text) => {
    const { statusCode } = await app.inject({
      url: '/user_info',
      headers: { authorization: `Bearer ${forge(text, payload, key)}` },
    })
    return statusCode === (text === JSON.stringify(header) ? 200 : 403)
  })
  await fc.assert(property, RUNS)
})

t.test('a refresh token', async (t) => {
  const { app, refreshToken, changes } = await started(t)
  const post = (url: string, refresh_token: string) =>
    app.inject({ method: 'POST', url, payload: { refresh_token } })
  const refuse = async (payload: string) => {
    const { statusCode, body } = await post('/refresh_token', forged('refresh-token', payload))
    // Longer than any token of ours: by then the body's schema has refused it.
    const isRefused = statusCode === 401 || (statusCode === 400 && payload.length > 800)
    if (!isRefused || changes.length > 0) throw new Error(`${statusCode} ${body} ${changes}`)
  }
  const genuine = Buffer.from(refreshToken.split('.')[2] ?? '', 'base64url')
  const nobody = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes))
  const near = fc.oneof(
    fc.nat(genuine.length - 1).map((length) => genuine.subarray(0, length)),
    fc.constantFrom(Buffer.from([0]), Buffer.from('a')).map((more) => Buffer.concat([genuine, more])),
    nobody,
    nobody.map((name) => Buffer.concat([genuine.subarray(0, 22), name])),
  )
  await fc.assert(
    fc.asyncProperty(near, (bytes) => refuse(bytes.toString('base64url'))),
    RUNS,
  )
  await fc.assert(fc.asyncProperty(hostilePayloads({ counter: 0 }), refuse), RUNS)
  // The last counter has no successor: rotated, it could not be answered any more.
  const last = Buffer.from(genuine)
  last.fill(0xff, 0, 6)
  await refuse(last.toString('base64url'))
  // It names no account, so that it ends nobody's sign-in.
  const short = forged('refresh-token', genuine.toString('base64url', 0, 22))
  t.equal((await post('/logout_token', short)).statusCode, 200)
  t.strictSame(changes, [])
  t.equal(
    (await post('/refresh_token', refreshToken)).statusCode,
    200,
    'the genuine one is as good as before',
  )
})

t.test('a session id', async (t) => {
  const { app, changes } = await started(t)
  const stepped = fc
    .tuple(fc.constant(newSessionId()), fc.oneof(fc.nat().map(String), fc.stringMatching(/^[\w-]{0,12}$/)))
    .map((both) => both.join(''))
  for (const payloads of [hostilePayloads({ id: 1 }), stepped]) {
    const property = fc.asyncProperty(payloads, (payload) =>
      ask(app, { cookie: `session=${forged('session-id', payload)}` }, changes),
    )
    await fc.assert(property, RUNS)
  }
})

t.test('a session id with the number of a step-up that there was not', async (t) => {
  const s = await sessionApp(t)
  const login = await s.login()
  const id = verifyValue(keysFor('session-id'), login.slice('session='.length)) ?? ''
  t.equal((await s.me(login)).statusCode, 200)
  for (const step of ['1', '2', '0', '01', '-1', '1e1', '999999999', '1000000000', '9'.repeat(30)]) {
    const answer = await s.me(`session=${forged('session-id', `${id}${step}`)}`)
    t.equal(answer.json().code, 'CREDENTIAL_INVALID', step)
  }
  t.equal((await s.me(login)).statusCode, 200)
})

t.test('what is sealed in a session', async (t) => {
  const s = await sessionApp(t)
  await s.write({ a: 1 }, await s.login())
  const signIn = {
    ...{ sid: 's', sub: ALICE.id, username: 'alice', role: 'admin', epoch: 0 },
    gen: await s.store.generation(),
    ...{ auth_time: START, remember: false, claims: { team: 1 } },
  }
  const stepped = { ...signIn, fac: FACTORS, step: 1, old: { until: START + 10_000, fac: FACTORS } }
  const limits = { version: 1, idleExpiresAt: START + 3_600_000, absoluteExpiresAt: START + 7_200_000 }
  const texts = fc.oneof(
    hostileTexts({ signIn, data: { cart: [] } }, 20_000),
    hostileTexts(signIn, 20_000).map((text) => `{"signIn":${text},"data":{"cart":[]}}`),
    hostileTexts(stepped).map((text) => `{"signIn":${text},"data":{"cart":[]}}`),
    hostileTexts(stepped.old).map(
      (old) => `{"signIn":${JSON.stringify(stepped).replace(/\{"until".*?\}/, () => old)},"data":{}}`,
    ),
    hostileTexts({ cart: [] }).map((text) => `{"signIn":null,"data":${text}}`),
  )
  const property = fc.asyncProperty(texts, async (text) => {
    const id = newSessionId()
    const key = sessionKeyOf(id)
    const sealed = seal(keysFor('session-data'), key, text)
    await s.store.createSession(key, { ...limits, sealed })
    s.calls.length = 0
    const cookie = `session=${forged('session-id', id)}`
    for (const url of ['/me', '/data', '/me']) {
      const { statusCode, body } = await s.get(url, cookie)
      if (statusCode !== 200 && statusCode !== 401) throw new Error(`${url}: ${statusCode} ${body}`)
    }
    const changes = s.calls.filter((call) => [...CHANGES, ...SESSION_CHANGES].some((name) => name === call))
    if (changes.length > 0) throw new Error(`changed something: ${changes}`)
  })
  await fc.assert(property, RUNS)
})

/** Who is bound to a device at the user center, and the cookies that the browser holds. */
async function bound(t: Test) {
  const env = { AUTH_SECRETS: SECRET, COOKIE_SECURE: 'true' }
  const { app, clock } = await startUserCenter(t, env)
  const client = new DeviceClient(app, clock)
  client.registers = false
  const login = await client.post('/login_cookie', { username: 'user1', password: 'user123' })
  const [offer] = offersOf(login)
  if (!offer) throw new Error('nothing is offered')
  await client.register(offer)
  clock.advance(80)
  const held = client.bound.get('__Host-identity_proof')
  const valueOfCookie = (name: string) => client.jar.get(name)?.value ?? ''
  return { app, offer, held, valueOfCookie, changes: watchChanges(app) }
}

t.test('a proof, and a cookie that says that it is bound', async (t) => {
  const { app, valueOfCookie, changes } = await bound(t)
  const [long, proof] = [valueOfCookie('__Host-identity'), valueOfCookie('__Host-identity_proof')]
  const send = (one: string, other: string) =>
    ask(app, { cookie: `__Host-identity=${one}; __Host-identity_proof=${other}` }, changes)
  await send(long, proof)
  const proofs = fc.asyncProperty(hostilePayloads(contentOf(proof)), (payload) =>
    send(long, forged('device-proof', payload)),
  )
  await fc.assert(proofs, RUNS)
  const cookies = fc.asyncProperty(hostilePayloads(contentOf(long)), (payload) =>
    send(forged('cookie', payload), proof),
  )
  await fc.assert(cookies, RUNS)
})

t.test('an identifier and a registration code', async (t) => {
  const { app, offer, held, changes } = await bound(t)
  const pair = keyPair('ES256')
  const jwk = pair.publicKey.export({ format: 'jwk' })
  const post = async (url: string, headers: Record<string, string>) => {
    const { statusCode, body } = await app.inject({ method: 'POST', url, headers })
    if (![401, 403].includes(statusCode) || changes.length > 0)
      throw new Error(`${url}: ${statusCode} ${body} ${changes}`)
  }
  const identifiers = fc.asyncProperty(hostilePayloads(contentOf(held?.id ?? '')), (payload) =>
    post('/device/refresh', { 'sec-secure-session-id': forged('device-code', payload) }),
  )
  await fc.assert(identifiers, RUNS)
  const codes = fc.asyncProperty(hostilePayloads(contentOf(offer.authorization)), (payload) => {
    const content = { jti: offer.challenge, authorization: forged('device-code', payload) }
    return post('/device/register', { 'secure-session-response': signedJwt(pair, { jwk }, content) })
  })
  await fc.assert(codes, RUNS)
})

t.test('a device cookie', async () => {
  const spec = cookieSpec('device', false)
  const content = { v: 1, id: 'A'.repeat(22), sub: 'a-1', name: 'A'.repeat(22), epoch: 0, exp: START }
  const devices = new DeviceCookie({
    spec,
    keys: keysFor('device'),
    clock: () => START,
    ttl: 60,
    accounts: () => ({ find: async () => ({ ...ALICE, epoch: 0 }) }),
  })
  const property = fc.asyncProperty(hostilePayloads(content), async (payload) => {
    const request = { headers: { cookie: `device=${forged('device', payload)}` } } as FastifyRequest
    return (await devices.recognise(request, 'alice')) === null
  })
  await fc.assert(property, RUNS)
})

t.test('a name that is there twice is refused, whichever of the two a reader would take', async (t) => {
  const { app, cookie, token } = await started(t)
  const { key } = keyOf(SECRET)
  const doubled = (content: object, name: string) => {
    const text = JSON.stringify(content)
    const value = JSON.stringify(Reflect.get(content, name))
    return [`{"${name}":${value},${text.slice(1)}`, `${text.slice(0, -1)},"${name}":${value}}`]
  }
  for (const name of ['sub', 'role', 'exp', 'sid']) {
    for (const text of doubled(contentOf(cookie), name)) {
      const value = forged('cookie', Buffer.from(text).toString('base64url'))
      const answer = await app.inject({ url: '/user_info', headers: { cookie: `identity=${value}` } })
      t.match(answer, { statusCode: 403 }, `cookie: ${name}`)
      t.equal(answer.json().error, 'CREDENTIAL_INVALID')
    }
    const { header, payload } = parts(token)
    for (const text of doubled(payload, name)) {
      const authorization = `Bearer ${forge(header, text, key)}`
      const answer = await app.inject({ url: '/user_info', headers: { authorization } })
      t.match(answer, { statusCode: 403 }, `token: ${name}`)
      t.equal(answer.json().error, 'TOKEN_INVALID')
    }
  }
})

t.test(
  'a request without rawHeaders, as an adapter of a serverless platform makes it, is as any other',
  async (t) => {
    const { app, cookie, token, refreshToken } = await started(t)
    const adapter = createServer((request, response) => {
      // Node derives one list from the other, when it is asked first.
      const { headers } = request
      Object.defineProperties(request, { headers: { value: headers }, rawHeaders: { value: undefined } })
      app.routing(request, response)
    }).listen(0, '127.0.0.1')
    t.teardown(() => adapter.close())
    await once(adapter, 'listening')
    const { port } = adapter.address() as AddressInfo
    const call = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
      const init = {
        method,
        headers: { ...headers, connection: 'close' },
        body: body && JSON.stringify(body),
      }
      return (await fetch(`http://127.0.0.1:${port}${path}`, init)).status
    }
    const bearer = { authorization: `Bearer ${token}` }
    t.equal(await call('GET', '/user_info', bearer), 200)
    t.equal(await call('GET', '/user_info', { authorization: 'Bearer  two' }), 400)
    t.equal(await call('GET', '/user_info', { cookie: `identity=${cookie}` }), 200)
    const login = { username: 'user1', password: 'user123' }
    const json = { 'content-type': 'application/json' }
    const own = { ...json, origin: `http://127.0.0.1:${port}` }
    t.equal(await call('POST', '/login_session', own, login), 200)
    t.equal(await call('POST', '/login_session', { ...json, origin: 'https://evil.example' }, login), 403)
    t.equal(await call('POST', '/refresh_token', own, { refresh_token: refreshToken }), 200)
    t.equal(await call('POST', '/logout_token', bearer), 200)
  },
)
