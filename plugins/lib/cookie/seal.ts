import type { CheckedAccount, Claims } from '../contract.js'
import { IdentityClaims } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { decodeJson, encodeJson, signValue, verifyValue } from '../credentials/signed-value.js'
import { ClaimInvalid } from '../errors.js'
import { type Static, Type } from '../shape.js'

/** The cookie's content. Its holder can read it, so nothing in it is secret. */
const isPayload = Type.Object(
  {
    v: Type.Literal(1),
    remember: Type.Boolean,
    ...IdentityClaims,
    // Device binding: 1 if it was offered at the sign-in, 2 if the cookie was issued as bound.
    dev: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2)])),
  },
  { additionalProperties: false },
)
export type CookiePayload = Static<typeof isPayload>

/** For account and claims, in bytes of JSON. So the whole cookie, in base64url, stays below the limit of `openCookie`. */
const VARIABLE_MAX = 2560

/**
 * Call this before anything is stored. A cookie above the limit would be issued and never accepted.
 * @throws CLAIM_INVALID
 */
export function checkCookieSize(account: CheckedAccount, ext: Claims): void {
  if (Buffer.byteLength(JSON.stringify([account, ext])) > VARIABLE_MAX) {
    throw new ClaimInvalid('claims', 'the cookie would be too long')
  }
}

/** How long cookies live, in seconds. */
export interface CookieTtls {
  readonly ttl: number
  readonly rememberTtl: number
  /** Since the sign-in began. */
  readonly absoluteTtl: number
}

/** How long a cookie lives without being renewed, in seconds. */
export function idleTtlOf(
  { ttl, rememberTtl }: CookieTtls,
  { remember }: Pick<CookiePayload, 'remember'>,
): number {
  return remember ? rememberTtl : ttl
}

/**
 * When a cookie ends, in ms: at its own time, or at the absolute limit (seconds since the password was given) if that
 * is earlier. A lowered limit also applies to older cookies, because a revocation is kept no longer than a sign-in may
 * live now.
 */
export function endOfCookie({ exp, auth_time }: CookiePayload, absoluteTtl: number): number {
  return Math.min(exp, auth_time + absoluteTtl) * 1000
}

/** The cookie's value: the payload as base64url JSON, signed. */
export function sealCookie(keys: PurposeKeys, content: CookiePayload): string {
  return signValue(keys, encodeJson(content))
}

/** Null for a value that was not sealed under one of these keys. Does not check expiry. */
export function openCookie(keys: PurposeKeys, value: string): CookiePayload | null {
  const encoded = verifyValue(keys, value)
  const content = encoded === null ? null : decodeJson(encoded)
  return isPayload(content) ? content : null
}
