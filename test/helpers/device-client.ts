import { sign } from 'node:crypto'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Clock } from '../../plugins/lib/contract.js'
import { type Algorithm, type KeyPair, keyPair } from './signing-key.js'

/*
 * A browser with device-bound sessions, as far as a server can tell: a jar, keys that it never gives away, registration,
 * refresh before a request that lacks the proof, and redirects.
 */

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JWT as browsers sign them. */
export function signedJwt({ algorithm, privateKey }: KeyPair, header: object, payload: object): string {
  const text = `${encode({ alg: algorithm, typ: 'dbsc+jwt', ...header })}.${encode(payload)}`
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  const signature = sign(digest, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

export interface Offer {
  readonly path: string
  readonly challenge: string
  readonly authorization: string
}

const OFFER = /\(ES256 RS256\);path="([^"]*)";challenge="([^"]*)";authorization="([^"]*)"/g
const CHALLENGE = /"([^"]*)";id="([^"]*)"/g

const fieldOf = ({ headers }: LightMyRequestResponse, name: string) => String(headers[name] ?? '')

/** What an answer offers to bind. */
export function offersOf(answer: LightMyRequestResponse): Offer[] {
  const all = fieldOf(answer, 'secure-session-registration').matchAll(OFFER)
  return [...all].map(([, path = '', challenge = '', authorization = '']) => ({
    ...{ path, challenge, authorization },
  }))
}

/** The challenges of an answer, by the identifier that each is for. */
export function challengesOf(answer: LightMyRequestResponse): Map<string, string> {
  const all = fieldOf(answer, 'secure-session-challenge').matchAll(CHALLENGE)
  return new Map([...all].map(([, challenge = '', id = '']) => [id, challenge]))
}

interface Bound {
  readonly id: string
  readonly refreshUrl: string
  readonly cookie: string
  readonly pair: KeyPair
  challenge: string | undefined
}

type Request = Pick<InjectOptions, 'url' | 'method' | 'payload'> & {
  readonly headers?: Record<string, string>
}

export class DeviceClient {
  readonly jar = new Map<string, { readonly value: string; readonly until: number }>()
  /** By the name of the cookie that holds the proof. */
  readonly bound = new Map<string, Bound>()
  /** Every request that it sent by itself, with the status of its answer. */
  readonly log: string[] = []
  /** Whether it registers when that is offered. */
  registers = true

  constructor(
    private readonly app: FastifyInstance,
    private readonly clock: Clock,
    private readonly algorithm: Algorithm = 'ES256',
  ) {}

  /** Sends a request as a page would, after the refreshes that it needs. */
  async send(request: Request): Promise<LightMyRequestResponse> {
    for (const bound of [...this.bound.values()]) {
      if (!this.has(bound.cookie)) await this.refresh(bound)
    }
    const answer = await this.fetch(request)
    for (const offer of this.registers ? offersOf(answer) : []) await this.register(offer)
    const { location } = answer.headers
    if (answer.statusCode !== 307 || typeof location !== 'string') return answer
    const path = String(request.url).split('?', 1)[0]
    return this.send({ ...request, url: location.startsWith('?') ? `${path}${location}` : location })
  }

  get(url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.send({ method: 'GET', url, headers })
  }

  post(url: string, payload: object = {}): Promise<LightMyRequestResponse> {
    return this.send({ method: 'POST', url, payload })
  }

  async register({ path, challenge, authorization }: Offer): Promise<LightMyRequestResponse> {
    const pair = keyPair(this.algorithm)
    const jwk = pair.publicKey.export({ format: 'jwk' })
    const jwt = signedJwt(pair, { jwk }, { jti: challenge, authorization })
    const answer = await this.fetch({
      method: 'POST',
      url: path,
      headers: { 'secure-session-response': jwt },
    })
    this.log.push(`${path} ${answer.statusCode}`)
    if (answer.statusCode !== 200) return answer
    const { session_identifier: id, refresh_url: refreshUrl, credentials } = answer.json()
    const cookie = credentials[0].name
    this.bound.set(cookie, { id, refreshUrl, cookie, pair, challenge: challengesOf(answer).get(id) })
    return answer
  }

  /** Once with the challenge that it has, and again with the one that a 403 brings. */
  async refresh(bound: Bound, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    const own: Record<string, string> = { 'sec-secure-session-id': `"${bound.id}"`, ...headers }
    if (bound.challenge)
      own['secure-session-response'] = `"${signedJwt(bound.pair, {}, { jti: bound.challenge })}"`
    const before = bound.challenge
    const answer = await this.fetch({ method: 'POST', url: bound.refreshUrl, headers: own })
    this.log.push(`${bound.refreshUrl} ${answer.statusCode}`)
    if (answer.statusCode === 403 && bound.challenge !== before) return this.refresh(bound, headers)
    if (answer.statusCode >= 400 && answer.statusCode < 500) this.bound.delete(bound.cookie)
    return answer
  }

  /** One request with the jar, and nothing more. */
  async fetch({ headers = {}, ...request }: Request): Promise<LightMyRequestResponse> {
    const cookie = this.cookies()
    const answer = await this.app.inject({
      ...request,
      headers: { ...(cookie ? { cookie } : {}), ...headers },
    })
    this.#keep(answer)
    return answer
  }

  has(name: string): boolean {
    const now = this.clock()
    return (this.jar.get(name)?.until ?? 0) > now
  }

  /** The `Cookie` header: what somebody who copies the jar gets. */
  cookies(): string {
    const names = [...this.jar.keys()].filter((name) => this.has(name))
    return names.map((name) => `${name}=${this.jar.get(name)?.value}`).join('; ')
  }

  #keep(answer: LightMyRequestResponse): void {
    for (const { name, value, maxAge } of answer.cookies) {
      if (maxAge === 0) this.jar.delete(name)
      else this.jar.set(name, { value, until: this.clock() + (maxAge ?? 1e9) * 1000 })
    }
    const challenges = challengesOf(answer)
    for (const bound of this.bound.values()) bound.challenge = challenges.get(bound.id) ?? bound.challenge
  }
}
