import { randomBytes } from 'node:crypto'
import type { CheckedAccount, Claims } from '../contract.js'
import { referencesOf, TWO_FACTORS } from '../credentials/given-factors.js'
import { claimsOf, IdentityClaims } from '../credentials/identity-claims.js'
import { isOwnJson } from '../credentials/signed-value.js'
import { ClaimInvalid } from '../errors.js'
import { type Static, Type } from '../shape.js'
import type { SignInRecord } from '../stores/contract.js'
import type { TokenCodecs } from './codecs.js'

/** Requirements on a token, besides its identity. Durations are in seconds. */
export interface AccessTokenRules {
  readonly issuer: string
  readonly audience: string
  readonly accessTtl: number
  /** How far ahead the clock of the instance that issued it may be. */
  readonly clockTolerance: number
}

/** In characters. A longer token is refused unread. */
export const ACCESS_TOKEN_MAX = 4096
/** For texts and claims, in bytes of JSON. So a whole token stays below the limit, even with a signature of RSA 4096. */
const VARIABLE_MAX = 2048

const Text = Type.String({ minLength: 1, maxLength: 256 })
/** RFC 9449 §6.1: the thumbprint of the key whose proof each use of the token needs. */
const Confirmation = Type.Object(
  { jkt: Type.String({ pattern: '^[\\w-]{43}$' }) },
  { additionalProperties: false },
)
const isPayload = Type.Object(
  {
    ...{ iss: Text, aud: Text, jti: Text, ...IdentityClaims, cnf: Type.Optional(Confirmation) },
    // For other servers, which use these names (RFC 8176, RFC 9470 §5). This server reads `fac`.
    amr: Type.Optional(Type.Array(Text)),
    acr: Type.Optional(Type.Literal(TWO_FACTORS)),
  },
  { additionalProperties: false },
)

/** The payload of an access token: RFC 9068 §2.2 without `client_id`, and the identity. Times are in seconds. */
export type AccessClaims = Static<typeof isPayload>

const CANONICAL = /^[\w-]+$/

/**
 * True if the part is the only canonical spelling of its bytes (RFC 4648 §3.5): the unused bits of the last character
 * are 0.
 */
function isCanonical(part: string): boolean {
  return CANONICAL.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part
}

/** Issues and verifies access tokens (RFC 9068). */
export class AccessTokens {
  constructor(
    private readonly codecs: TokenCodecs,
    private readonly rules: AccessTokenRules,
  ) {}

  /** The maximum length of the claims in an account's token, in bytes of JSON. */
  roomForClaims(account: CheckedAccount): number {
    const { issuer, audience } = this.rules
    return VARIABLE_MAX - Buffer.byteLength(JSON.stringify([issuer, audience, account, null])) + 'null'.length
  }

  /** Call this before anything is stored. A token above the limit would never be accepted. @throws CLAIM_INVALID */
  checkSize(account: CheckedAccount, ext: Claims): void {
    const bytes = Buffer.byteLength(JSON.stringify(ext))
    if (bytes > this.roomForClaims(account))
      throw new ClaimInvalid('claims', 'the access token would be too long')
  }

  /**
   * @param now in ms
   * @param jkt thumbprint of the key that the token is bound to, or null
   * @returns the token and its lifetime in seconds, which ends no later than the sign-in
   */
  issue(record: SignInRecord, account: CheckedAccount, ext: Claims, now: number, jkt: string | null = null) {
    const { issuer, audience, accessTtl } = this.rules
    const claims = claimsOf(record, account, ext, now, accessTtl)
    const jti = randomBytes(16).toString('base64url')
    const token = this.codecs.signing.sign({
      iss: issuer,
      aud: audience,
      jti,
      ...claims,
      ...(claims.fac !== undefined && referencesOf(record.factors ?? [])),
      ...(jkt !== null && { cnf: { jkt } }),
    })
    return { token, expiresIn: claims.exp - claims.iat }
  }

  /**
   * The claims of a genuine token, or null. Does not check expiry or liveness.
   * @param now in ms
   */
  open(token: string, now: number): AccessClaims | null {
    if (token.length > ACCESS_TOKEN_MAX) return null
    const [header, body, signature, ...more] = token.split('.')
    if (!header || !body || !signature || more.length > 0) return null
    // Each key has exactly one header, which is compared as text. So no client's header is ever parsed.
    const codec = this.codecs.find(header)
    if (!codec || !isCanonical(signature)) return null
    const claims = verifyQuietly(() => codec.verify(token))
    // The signature covers the text, but another signer with the same key might spell JSON otherwise.
    return isOwnJson(body, claims) && isPayload(claims) && this.#isOurs(claims, now) ? claims : null
  }

  #isOurs({ iss, aud, iat, exp }: AccessClaims, now: number): boolean {
    const { issuer, audience, accessTtl, clockTolerance } = this.rules
    const lifetime = exp - iat
    const isIssued = iat * 1000 <= now + clockTolerance * 1000
    return iss === issuer && aud === audience && lifetime > 0 && lifetime <= accessTtl && isIssued
  }
}

/** Any error of the verifier means that the token is not genuine. */
function verifyQuietly(verify: () => unknown): unknown {
  try {
    return verify()
  } catch {
    return null
  }
}
