import { generateKeyPairSync, sign } from 'node:crypto'
import { type Answered, type Browser, textAt } from './browser.js'
import type { Lab } from './experiment.js'
import type { Text } from './text.js'

const OFFER = /path="([^"]*)";challenge="([^"]*)";authorization="([^"]*)"/
const CHALLENGE = /^"([^"]*)"/

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Plays a browser's key for one sign-in: its registration, and the proofs. No copy of the cookies contains the key. */
export class DeviceKey {
  readonly #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  #challenge = ''
  #id = ''
  #refreshPath = ''

  constructor(
    private readonly lab: Lab,
    private readonly browser: Browser,
  ) {}

  /** Registers the key, as the answer to a login offers. */
  async register(login: Answered, title: Text): Promise<Answered> {
    const field = this.#header(login, 'secure-session-registration')
    const [, path = '', challenge = '', authorization = ''] = OFFER.exec(field) ?? []
    const jwk = this.#pair.publicKey.export({ format: 'jwk' })
    const answered = await this.#post(path, title, {
      'secure-session-response': this.#signed({ jwk }, { jti: challenge, authorization }),
    })
    this.#id = textAt(answered.json, 'session_identifier')
    this.#refreshPath = textAt(answered.json, 'refresh_url')
    return answered
  }

  /** Renews the proof: with the newest challenge, and once more if the server answers with another one. */
  async refresh(title: Text, again: Text): Promise<Answered> {
    const known = this.#challenge
    const answered = await this.#sendProof(title)
    return answered.status === 403 && this.#challenge !== known ? this.#sendProof(again) : answered
  }

  #sendProof(title: Text): Promise<Answered> {
    return this.#post(this.#refreshPath, title, {
      'sec-secure-session-id': `"${this.#id}"`,
      'secure-session-response': this.#signed({}, { jti: this.#challenge }),
    })
  }

  async #post(path: string, title: Text, headers: Record<string, string>): Promise<Answered> {
    const answered = await this.browser.send({ title, method: 'POST', path, headers })
    const [, challenge] = CHALLENGE.exec(this.#header(answered, 'secure-session-challenge')) ?? []
    this.#challenge = challenge ?? this.#challenge
    return answered
  }

  #header({ index }: Answered, wanted: string): string {
    const headers = this.lab.exchanges[index]?.response.headers ?? []
    return headers.find(([name]) => name === wanted)?.[1] ?? ''
  }

  /** A JWT as browsers sign them (Device Bound Session Credentials, W3C draft). */
  #signed(header: object, payload: object): string {
    const text = `${encode({ alg: 'ES256', typ: 'dbsc+jwt', ...header })}.${encode(payload)}`
    const key = { key: this.#pair.privateKey, dsaEncoding: 'ieee-p1363' } as const
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }
}
