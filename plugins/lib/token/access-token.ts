import { randomBytes } from 'node:crypto'
import type { CheckedAccount, Claims } from '../contract.js'
import { claimsOf, IdentityClaims } from '../credentials/identity-claims.js'
import { isOwnJson } from '../credentials/signed-value.js'
import { ClaimInvalid } from '../errors.js'
import { type Static, Type } from '../shape.js'
import type { SignInRecord } from '../stores/contract.js'
import type { TokenCodecs } from './codecs.js'

/** What a token must say beside who it is about. Durations are in seconds. */
export interface AccessTokenRules {
  readonly issuer: string
  readonly audience: string
  readonly accessTtl: number
  /** How far ahead the clock of the instance that issued it may be. */
  readonly clockTolerance: number
}

/** The longest token that is looked at, in characters. */
export const ACCESS_TOKEN_MAX = 4096
/** What varies, in bytes of JSON: with the rest, a signature of RSA 4096 included, it stays below the cap. */
const VARIABLE_MAX = 2048

const Text = Type.String({ minLength: 1, maxLength: 256 })
const isPayload = Type.Object(
  { iss: Text, aud: Text, jti: Text, ...IdentityClaims },
  { additionalProperties: false },
)

/** The payload of an access token: RFC 9068 §2.2 without `client_id`, and who is signed in. Times are in seconds. */
export type AccessClaims = Static<typeof isPayload>

const CANONICAL = /^[\w-]+$/

/** True for the one spelling that its bytes have (RFC 4648 §3.5): the last character's unused bits are 0. */
function isCanonical(part: string): boolean {
  return CANONICAL.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part
}

/** Makes access tokens (RFC 9068), and tells genuine ones from everything else. */
export class AccessTokens {
  constructor(
    private readonly codecs: TokenCodecs,
    private readonly rules: AccessTokenRules,
  ) {}

  /** How long the claims of an account's token may be, in bytes of JSON. */
  roomForClaims(account: CheckedAccount): number {
    const { issuer, audience } = this.rules
    return VARIABLE_MAX - Buffer.byteLength(JSON.stringify([issuer, audience, account, null])) + 'null'.length
  }

  /**
   * Before anything is stored: a token above the cap would be issued and never recognised.
   * @throws CLAIM_INVALID
   */
  checkSize(account: CheckedAccount, ext: Claims): void {
    const bytes = Buffer.byteLength(JSON.stringify(ext))
    if (bytes > this.roomForClaims(account))
      throw new ClaimInvalid('claims', 'the access token would be too long')
  }

  /**
   * @param now in ms
   * @returns the token, and how long it lives, in seconds: no longer than the sign-in
   */
  issue(record: SignInRecord, account: CheckedAccount, ext: Claims, now: number) {
    const { issuer, audience, accessTtl } = this.rules
    const claims = claimsOf(record, account, ext, now, accessTtl)
    const jti = randomBytes(16).toString('base64url')
    const token = this.codecs.signing.sign({ iss: issuer, aud: audience, jti, ...claims })
    return { token, expiresIn: claims.exp - claims.iat }
  }

  /**
   * What a genuine token says, or null for any other text. Says nothing of its expiry, nor of whether its
   * sign-in lives.
   * @param now in ms
   */
  open(token: string, now: number): AccessClaims | null {
    if (token.length > ACCESS_TOKEN_MAX) return null
    const [header, body, signature, ...more] = token.split('.')
    if (!header || !body || !signature || more.length > 0) return null
    // Ours all have the same few headers: comparing text leaves nothing to parse, to spell otherwise or to add.
    const codec = this.codecs.find(header)
    if (!codec || !isCanonical(signature)) return null
    const claims = verifyQuietly(() => codec.verify(token))
    // Although a signature covers its text: a key shared with another signer must not widen this.
    return isOwnJson(body, claims) && isPayload(claims) && this.#isOurs(claims, now) ? claims : null
  }

  #isOurs({ iss, aud, iat, exp }: AccessClaims, now: number): boolean {
    const { issuer, audience, accessTtl, clockTolerance } = this.rules
    const lifetime = exp - iat
    const isIssued = iat * 1000 <= now + clockTolerance * 1000
    return iss === issuer && aud === audience && lifetime > 0 && lifetime <= accessTtl && isIssued
  }
}

/** Whatever a verifier throws, and it throws many things, means that the token is not genuine. */
function verifyQuietly(verify: () => unknown): unknown {
  try {
    return verify()
  } catch {
    return null
  }
}
