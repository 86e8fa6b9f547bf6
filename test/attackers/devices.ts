import type { LightMyRequestResponse } from 'fastify'
import { ELSEWHERE } from '../helpers/credential-kinds.js'
import { DeviceClient, type Offer, offersOf, signedJwt } from '../helpers/device-client.js'
import { refusedByCenter, USER } from '../helpers/http.js'
import { keyPair } from '../helpers/signing-key.js'
import type { Cell, Row } from './row.js'

type Center = Parameters<Cell>[1]
type Headers = Record<string, string>

/** Longer than a new sign-in is accepted without a question, in seconds. */
const SETTLED = 80
const PROOF_FOR = 20 * 60

/** A browser that keeps the headers of all its requests, as a log of the network does. */
class LoggedBrowser extends DeviceClient {
  readonly sent: Headers[] = []

  constructor({ app }: Center) {
    super(app, app.identityClock)
  }

  override fetch(request: Parameters<DeviceClient['fetch']>[0]): ReturnType<DeviceClient['fetch']> {
    this.sent.push(request.headers ?? {})
    return super.fetch(request)
  }

  /** The last signed text that it has sent. */
  get response(): string {
    return (
      this.sent.findLast((headers) => 'secure-session-response' in headers)?.['secure-session-response'] ?? ''
    )
  }
}

const isProof = (pair: string) => /^[\w-]+_proof=/.test(pair)
const withoutProof = (jar: string) =>
  jar
    .split('; ')
    .filter((pair) => !isProof(pair))
    .join('; ')

/** A copied jar after an answer to the thief. */
function jarAfter(jar: string, { cookies }: LightMyRequestResponse): string {
  const pairs = new Map(jar.split('; ').map((pair) => [pair.replace(/=.*/s, ''), pair]))
  for (const { name, value } of cookies) pairs.set(name, `${name}=${value}`)
  return [...pairs.values()].join('; ')
}

async function signedIn(center: Center, kind: string, registers = true) {
  const browser = new LoggedBrowser(center)
  browser.registers = registers
  const login = await browser.post(`/login_${kind}`, USER)
  if (login.statusCode !== 200) throw new Error(login.body)
  const [offer] = offersOf(login)
  if (!offer) throw new Error('the login offers nothing')
  return { browser, offer }
}

const thiefOf = (center: Center, cookie: string) => ({
  read: () => center.send({ url: '/sign_ins', headers: { cookie }, remoteAddress: ELSEWHERE }),
  post: (url: string, headers: Headers = {}, payload: object = {}) =>
    center.send({ method: 'POST', url, headers: { cookie, ...headers }, payload, remoteAddress: ELSEWHERE }),
})

/** A proof is no credential of any kind. */
const proofInItsPlace: Cell = async (t, center, kind) => {
  const { browser } = await signedIn(center, 'cookie')
  const [, proof = ''] = browser.cookies().split('; ').find(isProof)?.split('=') ?? []
  t.match(proof, /^v1\./)
  await center.refusesInvented(t, kind, kind === 'API key' ? `fik_${proof}` : proof, 'a proof in its place')
}

const copiesTheJar: Cell = async (t, center, kind) => {
  const { browser } = await signedIn(center, kind)
  center.clock.advance(SETTLED)
  const jar = browser.cookies()
  const [thief, without] = [thiefOf(center, jar), thiefOf(center, withoutProof(jar))]
  refusedByCenter(t, await without.read(), 403, 'DEVICE_PROOF_REQUIRED', 'without the proof')
  t.equal((await thief.read()).statusCode, 200, 'with it, until it expires')
  t.equal((await thief.post('/api_keys', {}, { name: 'mine' })).statusCode, 307)
  const asked = await thief.post('/api_keys?device_proof=asked', {}, { name: 'mine' })
  refusedByCenter(t, asked, 403, 'DEVICE_PROOF_REQUIRED', 'nothing that lasts')
  center.clock.advance(PROOF_FOR)
  refusedByCenter(t, await thief.read(), 403, 'DEVICE_PROOF_REQUIRED', 'expired')
  t.equal((await browser.get('/sign_ins')).statusCode, 200, 'the owner notices nothing')
  t.equal((await without.post(`/logout_${kind}`)).statusCode, 200, 'they can end it')
  refusedByCenter(t, await browser.get('/sign_ins'), 403, 'SIGNED_OUT')
}

const readsTheNetwork: Cell = async (t, center, kind) => {
  const { browser } = await signedIn(center, kind)
  center.clock.advance(PROOF_FOR)
  t.equal((await browser.get('/sign_ins')).statusCode, 200)
  const [bound] = browser.bound.values()
  const thief = thiefOf(center, browser.cookies())
  const again = () =>
    thief.post('/device/refresh', {
      'sec-secure-session-id': `"${bound?.id}"`,
      'secure-session-response': browser.response,
    })
  t.equal((await again()).statusCode, 200, 'a signed challenge may come again')
  center.clock.advance(PROOF_FOR)
  const late = await again()
  t.equal(late.statusCode, 403, 'and gains no time')
  t.strictSame(late.cookies, [])
  refusedByCenter(t, await thief.read(), 403, 'DEVICE_PROOF_REQUIRED')
  t.equal((await browser.get('/sign_ins')).statusCode, 200, 'the owner goes on')
}

function registrationOf({ challenge: jti, authorization }: Offer): Headers {
  const own = keyPair('ES256')
  const jwk = own.publicKey.export({ format: 'jwk' })
  return { 'secure-session-response': signedJwt(own, { jwk }, { jti, authorization }) }
}

const registersSecond: Cell = async (t, center, kind) => {
  const { browser, offer } = await signedIn(center, kind)
  const thief = thiefOf(center, browser.cookies())
  const { statusCode, cookies, ...answer } = await thief.post('/device/register', registrationOf(offer))
  t.match([statusCode, answer.json().code, cookies], [403, 'DEVICE_PROOF_REQUIRED', []])
  center.clock.advance(PROOF_FOR)
  t.equal((await browser.get('/sign_ins')).statusCode, 200, 'the first key stands')
}

const registersFirst: Cell = async (t, center, kind) => {
  const { browser, offer } = await signedIn(center, kind, false)
  const jar = browser.cookies()
  const first = await thiefOf(center, jar).post('/device/register', registrationOf(offer))
  t.equal(first.statusCode, 200, 'before the owner, it works')
  const thief = thiefOf(center, jarAfter(jar, first))
  center.clock.advance(SETTLED)
  t.equal((await thief.read()).statusCode, 200)
  refusedByCenter(t, await browser.get('/sign_ins'), 403, 'DEVICE_PROOF_REQUIRED', 'the owner notices')
  t.equal((await browser.post(`/login_${kind}`, USER)).statusCode, 200)
  refusedByCenter(t, await thief.read(), 403, 'SIGNED_OUT', 'that login has ended it')
}

const registersAKey: Cell = async (t, center, kind) => {
  await registersSecond(t, center, kind)
  await registersFirst(t, center, kind)
}

const row = (cell: Cell): Row => ({ every: proofInItsPlace, instead: { cookie: cell, session: cell } })

export const jarThief = row(copiesTheJar)
export const networkThief = row(readsTheNetwork)
export const registeringThief = row(registersAKey)
