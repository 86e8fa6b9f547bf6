import { generateKeyPairSync } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { createKeyRing } from '../../plugins/lib/credentials/keys.js'
import { Challenges } from '../../plugins/lib/device/challenges.js'
import { DeviceCodes } from '../../plugins/lib/device/codes.js'
import { isBound } from '../../plugins/lib/sign-ins/record.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { type DeviceApp, type DeviceAppOptions, deviceApp, proofOf } from '../helpers/device-app.js'
import { challengesOf, type DeviceClient, type Offer, offersOf, signedJwt } from '../helpers/device-client.js'
import { listen } from '../helpers/http.js'
import { type KeyPair, keyPair } from '../helpers/signing-key.js'
import { BOB, faultyStore, refused, SECRET, START } from '../helpers/suite.js'

const MODES = ['cookie', 'session'] as const
const MINUTE = 60
const PAIR = keyPair('ES256')
const JWK = PAIR.publicKey.export({ format: 'jwk' })
const REFRESH = '/device/refresh'

/** A browser that was offered to bind its sign-in, and did not yet. */
async function offered(
  app: Pick<DeviceApp, 'browser' | 'signIn'>,
  mode: 'cookie' | 'session' = 'cookie',
  more: object = {},
) {
  const client = app.browser()
  client.registers = false
  const [offer] = offersOf(await app.signIn(client, mode, more))
  if (!offer) throw new Error('nothing is offered')
  return { client, offer }
}

const registration = (
  { challenge: jti, authorization }: Offer,
  pair: KeyPair = PAIR,
  header: object = { jwk: JWK },
) => signedJwt(pair, header, { jti, authorization })

const send = (client: DeviceClient, jwt: string | null) =>
  client.fetch({
    method: 'POST',
    url: '/device/register',
    headers: jwt === null ? {} : { 'secure-session-response': jwt },
  })

/** The challenges of the application's keys for the sign-in that an offer is for. */
function genuineChallenge({ authorization }: Offer, kind: 'r' | 'p'): string {
  const challenges = new Challenges(createKeyRing([SECRET]).purpose('device-challenge'))
  const ref = new DeviceCodes(createKeyRing([SECRET]).purpose('device-code')).readRegistration(
    authorization,
    START,
  )
  if (!ref) throw new Error('no genuine code')
  return challenges.derive(ref, kind, START)
}

type Made = { readonly offer: Offer; readonly other: Offer; readonly identifier: string }
type MakeJwt = (made: Made) => string | null

const RSA_1024 = generateKeyPairSync('rsa', { modulusLength: 1024 })
const weak = { ...keyPair('RS256'), ...RSA_1024 }
const edwards = keyPair('EdDSA')

const HOSTILE_REGISTRATIONS: Record<string, MakeJwt> = {
  'no response': () => null,
  'an empty one': () => '""',
  'no JWT': () => 'a.b.c',
  'another key than the one that signed': ({ offer }) => registration(offer, keyPair('ES256')),
  'no key': ({ offer }) => registration(offer, PAIR, {}),
  'a private key': ({ offer }) =>
    registration(offer, PAIR, { jwk: PAIR.privateKey.export({ format: 'jwk' }) }),
  'a weak key': ({ offer }) => registration(offer, weak, { jwk: weak.publicKey.export({ format: 'jwk' }) }),
  'an algorithm that was not offered': ({ offer }) =>
    registration(offer, edwards, { jwk: edwards.publicKey.export({ format: 'jwk' }), alg: 'EdDSA' }),
  'no signature': ({ offer }) => registration(offer, PAIR, { jwk: JWK, alg: 'none' }).replace(/[^.]*$/, ''),
  'another algorithm in the header': ({ offer }) => registration(offer, PAIR, { jwk: JWK, alg: 'RS256' }),
  'another type': ({ offer }) => registration(offer, PAIR, { jwk: JWK, typ: 'jwt' }),
  'another challenge': ({ offer, other }) => registration({ ...offer, challenge: other.challenge }),
  'the challenge of a refresh': ({ offer }) =>
    registration({ ...offer, challenge: genuineChallenge(offer, 'p') }),
  'no challenge': ({ offer }) => registration({ ...offer, challenge: '' }),
  'a code as challenge': ({ offer }) => registration({ ...offer, challenge: offer.authorization }),
  'no code': ({ offer }) => registration({ ...offer, authorization: '' }),
  'an altered code': ({ offer }) =>
    registration({ ...offer, authorization: `${offer.authorization.slice(0, -1)}-` }),
  'an identifier as code': ({ offer, identifier }) => registration({ ...offer, authorization: identifier }),
  'the code of another sign-in': ({ offer, other }) =>
    registration({ ...offer, authorization: other.authorization }),
  'code and challenge of another sign-in': ({ other }) => registration(other),
  'two responses': ({ offer }) => `${registration(offer)}, ${registration(offer)}`,
}

async function identifierOf(app: DeviceApp) {
  const client = await app.bound('session')
  return client.bound.get(proofOf('session'))?.id ?? ''
}

for (const mode of MODES) {
  t.test(`${mode}: a registration that is wrong in one point binds nothing`, async (t) => {
    const app = await deviceApp(t)
    const { client, offer } = await offered(app, mode)
    const { offer: other } = await offered(app, mode, { account: BOB })
    const made = { offer, other, identifier: await identifierOf(app) }
    const jar = client.cookies()
    for (const [how, make] of Object.entries(HOSTILE_REGISTRATIONS)) {
      const answer = await send(client, make(made))
      refused(t, answer, 403, 'DEVICE_PROOF_REQUIRED', how)
      t.strictSame(answer.cookies, [], how)
    }
    t.strictSame((await app.records()).filter(isBound).length, 1, 'the identifier’s')
    t.equal(client.cookies(), jar)
    t.equal((await send(client, registration(offer))).statusCode, 200, 'the genuine one is as good as before')
  })

  t.test(`${mode}: a code is good once, and for 60 seconds`, async (t) => {
    const app = await deviceApp(t)
    const { client, offer } = await offered(app, mode)
    const first = registration(offer)
    t.equal((await send(client, first)).statusCode, 200)
    const [bound] = await app.records()
    for (const again of [first, registration(offer, keyPair('ES256'))]) {
      const answer = await send(client, again)
      refused(t, answer, 403, 'DEVICE_PROOF_REQUIRED')
      t.strictSame(answer.cookies, [])
    }
    t.equal((await app.records())[0]?.binding, bound?.binding)
    const late = await offered(app, mode)
    app.clock.advance(60)
    refused(t, await send(late.client, registration(late.offer)), 403, 'DEVICE_PROOF_REQUIRED')
  })

  t.test(`${mode}: only the browser that has the sign-in's cookie can bind it`, async (t) => {
    const app = await deviceApp(t)
    const { client, offer } = await offered(app, mode)
    refused(t, await send(app.browser(), registration(offer)), 403, 'DEVICE_PROOF_REQUIRED')
    const { client: bob } = await offered(app, mode, { account: BOB })
    refused(t, await send(bob, registration(offer)), 403, 'DEVICE_PROOF_REQUIRED')
    await client.post(`/sign_out/${mode}`)
    refused(t, await send(client, registration(offer)), 403, 'DEVICE_PROOF_REQUIRED')
  })

  t.test(`${mode}: a sign-in that has ended is not bound`, async (t) => {
    const app = await deviceApp(t)
    const { client, offer } = await offered(app, mode)
    await app.app.signIns.endAll('account-alice')
    const answer = await send(client, registration(offer))
    refused(t, answer, 401, 'SIGNED_OUT')
    t.strictSame(answer.cookies, [])
  })

  t.test(`${mode}: of many registrations at once one binds`, async (t) => {
    const app = await deviceApp(t)
    const { client, offer } = await offered(app, mode)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => send(client, registration(offer, PAIR))),
    )
    t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1)
  })

  t.test(`${mode}: registration and the question after 75 seconds race: one decides for both`, async (t) => {
    // Two instances whose clocks differ by 20 seconds.
    const store = createMemoryStore()
    const slow = await deviceApp(t, { store })
    const ahead = await deviceApp(t, { store })
    for (let round = 0; round < 20; round++) {
      const { client, offer } = await offered(slow, mode)
      slow.clock.advance(59)
      ahead.clock.now = slow.clock.now + 20_000
      const [me, registered] = await Promise.all([
        ahead.withCookies(client.cookies()),
        send(client, registration(offer)),
      ])
      t.ok([200, 403].includes(me.statusCode))
      t.equal(
        registered.statusCode === 200,
        (await slow.withCookies(client.cookies())).statusCode === 200 && client.has(proofOf(mode)),
      )
      await client.post(`/sign_out/${mode}`)
    }
  })
}

/** A bound browser, and a refresh of its own making. */
async function refreshing(t: Test, mode: 'cookie' | 'session' = 'cookie', options: DeviceAppOptions = {}) {
  const calls = faultyStore(createMemoryStore())
  const app = await deviceApp(t, { store: calls.store, ...options })
  const { client, offer } = await offered(app, mode)
  await client.register(offer)
  client.registers = true
  const bound = client.bound.get(proofOf(mode))
  if (!bound) throw new Error('not bound')
  const refresh = (headers: Record<string, string>) => client.fetch({ method: 'POST', url: REFRESH, headers })
  const answerTo = (jti: string | undefined, pair = bound.pair, header = {}) => ({
    'sec-secure-session-id': bound.id,
    'secure-session-response': signedJwt(pair, header, { jti }),
  })
  return { ...app, ...calls, client, bound, offer, refresh, answerTo }
}

t.test('a refresh gets the challenge of this minute, and then the proof', async (t) => {
  const { client, bound, refresh, answerTo, clock } = await refreshing(t)
  clock.advance(30 * MINUTE)
  const asked = await refresh({ 'sec-secure-session-id': `"${bound.id}"` })
  refused(t, asked, 403, 'DEVICE_PROOF_REQUIRED')
  t.strictSame(asked.cookies, [])
  const challenge = challengesOf(asked).get(bound.id)
  const answer = await refresh(answerTo(challenge))
  t.equal(answer.statusCode, 200)
  t.equal(answer.json().session_identifier, bound.id)
  t.strictSame(
    answer.cookies.map(({ name, maxAge }) => [name, maxAge]),
    [[proofOf('cookie'), 1170]],
  )
  t.ok(challengesOf(answer).get(bound.id))
  t.equal((await client.get('/me')).statusCode, 200)
})

t.test('an answer that is sent again gains no time, and is refused after 15 minutes', async (t) => {
  const { refresh, answerTo, clock, bound } = await refreshing(t)
  const headers = answerTo(bound.challenge)
  for (let minute = 0; minute <= 15; minute++) {
    const answer = await refresh(headers)
    t.equal(answer.statusCode, 200, `after ${minute} minutes`)
    t.equal(answer.cookies[0]?.maxAge, (20 - minute) * MINUTE - 30)
    clock.advance(MINUTE)
  }
  refused(t, await refresh(headers), 403, 'DEVICE_PROOF_REQUIRED')
})

t.test('a browser drops its proof half a minute before the server refuses it', async (t) => {
  const { client, refresh, answerTo, clock, withCookies, bound } = await refreshing(t)
  clock.advance(0.999)
  const [proof] = (await refresh(answerTo(bound.challenge))).cookies
  const jar = client.cookies()
  clock.advance(proof?.maxAge ?? 0)
  t.not(client.cookies(), jar, 'it would ask for another one now')
  t.equal((await withCookies(jar)).statusCode, 200, 'what was sent a moment before is good')
  clock.advance(28)
  t.equal((await withCookies(jar)).statusCode, 200)
  clock.advance(2)
  refused(t, await withCookies(jar), 403, 'DEVICE_PROOF_REQUIRED')
})

t.test('the copied jar, with the network log, is dead 20 minutes after the last challenge', async (t) => {
  const { client, refresh, answerTo, clock, withCookies, bound } = await refreshing(t)
  clock.advance(30 * MINUTE)
  await client.get('/me')
  const last = bound.challenge
  const start = clock.now
  const log = answerTo(last)
  let jar = client.cookies()
  let accepted = 0
  for (let second = 0; second <= 40 * MINUTE; second += 15) {
    clock.now = start + second * 1000
    // The thief has no key, and sends what the browser has sent.
    const again = await refresh(log)
    const proof = again.cookies.find(({ name }) => name === proofOf('cookie'))
    if (proof) jar = `${longOf(jar)}; ${proof.name}=${proof.value}`
    if ((await withCookies(jar)).statusCode === 200) accepted = second
  }
  t.ok(accepted < 20 * MINUTE && accepted >= 19 * MINUTE, `last accepted after ${accepted} s`)
})

const longOf = (jar: string) => jar.split('; ').find((pair) => !pair.includes('_proof')) ?? ''

t.test('a request whose proof ends soon gets a challenge, so that the refresh is one trip', async (t) => {
  const { client, clock, bound } = await refreshing(t)
  clock.advance(14 * MINUTE)
  t.equal((await client.get('/me')).headers['secure-session-challenge'], undefined)
  clock.advance(2 * MINUTE)
  t.ok(challengesOf(await client.get('/me')).get(bound.id))
  clock.advance(3 * MINUTE)
  t.equal((await client.refresh(bound)).statusCode, 200)
  t.strictSame(client.log.slice(1), [`${REFRESH} 200`])
})

type MakeHeaders = (made: {
  readonly id: string
  readonly pair: KeyPair
  readonly challenge: string
  readonly registration: string
}) => Record<string, string>

const response = (pair: KeyPair, jti: unknown, header: object = {}) => signedJwt(pair, header, { jti })
const ID = 'sec-secure-session-id'
const RESPONSE = 'secure-session-response'

/** By the status that the browser gets. 401: that is no sign-in of ours. 403: with a challenge, to try again. */
const HOSTILE_REFRESHES: Record<string, [401 | 403, MakeHeaders]> = {
  'no identifier': [401, () => ({})],
  'an empty identifier': [401, () => ({ [ID]: '""' })],
  'a forged identifier': [401, ({ id }) => ({ [ID]: `${id.slice(0, -1)}-` })],
  'two identifiers': [401, ({ id }) => ({ [ID]: `"${id}", "${id}"` })],
  'a long identifier': [401, () => ({ [ID]: 'v'.repeat(9000) })],
  'no answer': [403, ({ id }) => ({ [ID]: id })],
  'no JWT': [403, ({ id }) => ({ [ID]: id, [RESPONSE]: 'a.b.c' })],
  'a long answer': [403, ({ id }) => ({ [ID]: id, [RESPONSE]: `a.b.${'c'.repeat(9000)}` })],
  'another key': [
    403,
    ({ id, challenge }) => ({ [ID]: id, [RESPONSE]: response(PAIR, challenge, { jwk: JWK }) }),
  ],
  'an own challenge': [403, ({ id, pair }) => ({ [ID]: id, [RESPONSE]: response(pair, 'p.1') })],
  'no challenge': [403, ({ id, pair }) => ({ [ID]: id, [RESPONSE]: response(pair, undefined) })],
  'an odd challenge': [403, ({ id, pair }) => ({ [ID]: id, [RESPONSE]: response(pair, { a: 1 }) })],
  'the challenge of the registration': [
    403,
    ({ id, pair, registration }) => ({ [ID]: id, [RESPONSE]: response(pair, registration) }),
  ],
  'an altered signature': [
    403,
    ({ id, pair, challenge }) => ({
      [ID]: id,
      [RESPONSE]: response(pair, challenge).replace(/.{9}$/, 'AAAAAAAAA'),
    }),
  ],
  'another algorithm': [
    403,
    ({ id, pair, challenge }) => ({ [ID]: id, [RESPONSE]: response(pair, challenge, { alg: 'RS256' }) }),
  ],
}

t.test('a hostile refresh gets 401, or 403 with a challenge, and changes nothing', async (t) => {
  const app = await refreshing(t)
  const { client, bound, calls, refresh, clock } = app
  const challengeOfRegistration = genuineChallenge(app.offer, 'r')
  clock.advance(80)
  const jar = client.cookies()
  calls.length = 0
  for (const [how, [status, make]] of Object.entries(HOSTILE_REFRESHES)) {
    const { id, pair, challenge = '' } = bound
    const answer = await refresh(make({ id, pair, challenge, registration: challengeOfRegistration }))
    refused(t, answer, status, status === 401 ? 'SIGNED_OUT' : 'DEVICE_PROOF_REQUIRED', how)
    t.equal(answer.json().error, STATUS_CODES[status], how)
    t.equal(challengesOf(answer).has(bound.id), status === 403, how)
    t.strictSame(answer.cookies, [], how)
    t.equal(answer.headers['cache-control'], 'no-store', how)
  }
  t.strictSame([...new Set(calls)].sort(), ['findSignIn', 'isLive'])
  t.equal(client.cookies(), jar)
  t.equal((await refresh({ ...app.answerTo(bound.challenge) })).statusCode, 200)
})

t.test('the other session’s cookie ends the refresh; without any cookie it works', async (t) => {
  for (const mode of MODES) {
    const app = await refreshing(t, mode)
    const { bound, answerTo } = app
    const bare = app.browser()
    const refresh = (client: DeviceClient) =>
      client.fetch({ method: 'POST', url: REFRESH, headers: answerTo(bound.challenge) })
    t.equal((await refresh(bare)).statusCode, 200, 'after a link from another site')
    const { client: bob } = await offered(app, mode, { account: BOB })
    refused(t, await refresh(bob), 401, 'SIGNED_OUT')
    const junk = { cookie: `__Host-identity=junk; __Host-session=junk` }
    const answer = await app.app.inject({
      method: 'POST',
      url: REFRESH,
      headers: { ...junk, ...answerTo(bound.challenge) },
    })
    t.equal(answer.statusCode, 200, 'junk is no cookie')
  }
})

t.test('any body and any content type will do', async (t) => {
  const allowedOrigins = ['https://evil.example']
  const { app, bound, answerTo } = await refreshing(t, 'cookie', { csrf: { allowedOrigins } })
  const bodies: [string, string][] = [
    ['application/json', '{'],
    ['text/xml', '<a/>'],
    ['multipart/form-data', 'x'],
    ['no type', 'x'.repeat(2_000_000)],
  ]
  for (const [type, payload] of bodies) {
    const headers = { 'content-type': type, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const plain = { method: 'POST', url: REFRESH, payload } as const
    const forged = await app.inject({ ...plain, headers })
    t.equal(forged.statusCode, 401, type)
    const good = await app.inject({ ...plain, headers: { ...headers, ...answerTo(bound.challenge) } })
    t.equal(good.statusCode, 200, type)
    for (const answer of [forged, good])
      t.notOk(Object.keys(answer.headers).some((name) => name.startsWith('access-control')))
  }
})

t.test('over a socket, a body that never ends is not waited for', async (t) => {
  const { app, bound } = await refreshing(t)
  const port = await listen(app)
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const head = [
    'POST /device/refresh HTTP/1.1',
    'Host: a',
    `${ID}: ${bound.id}`,
    'Content-Length: 1000000',
    '',
    'x',
  ]
  socket.write(head.join('\r\n'))
  const [first] = await new Promise<string[]>((resolve) =>
    socket.once('data', (data) => resolve([String(data)])),
  )
  t.match(first, /^HTTP\/1.1 403 /)
  t.match(first, /secure-session-challenge: "p\./i)
})

t.test('a fault of the application’s own hooks keeps the browser’s session', async (t) => {
  let fails = false
  const app = await deviceApp(t, {
    before: (app) =>
      app.addHook('onRequest', async () => {
        if (fails) throw Object.assign(new Error('too many'), { statusCode: 429 })
      }),
  })
  const client = await app.bound('cookie')
  const bound = client.bound.get(proofOf('cookie'))
  fails = true
  const answer = await client.fetch({ method: 'POST', url: REFRESH, headers: { [ID]: bound?.id ?? '' } })
  refused(t, answer, 503, 'STORE_UNAVAILABLE')
  t.equal(answer.headers['retry-after'], '1')
})
