import type { CheckedAccount, Claims } from '../contract.js'
import { IdentityClaims } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { decodeJson, encodeJson, signValue, verifyValue } from '../credentials/signed-value.js'
import { ClaimInvalid } from '../errors.js'
import { type Static, Type } from '../shape.js'

/** What the cookie holds: readable by whoever holds it, so nothing that is secret. */
const isPayload = Type.Object(
  { v: Type.Literal(1), remember: Type.Boolean, ...IdentityClaims },
  { additionalProperties: false },
)
export type CookiePayload = Static<typeof isPayload>

/** What varies, in bytes of JSON: with the rest, as base64url, it stays below what `openCookie` looks at. */
const VARIABLE_MAX = 2560

/**
 * Before anything is stored: a cookie above the cap would be issued and never recognised.
 * @throws CLAIM_INVALID
 */
export function checkCookieSize(account: CheckedAccount, ext: Claims): void {
  if (Buffer.byteLength(JSON.stringify([account, ext])) > VARIABLE_MAX) {
    throw new ClaimInvalid('claims', 'the cookie would be too long')
  }
}

/**
 * When a cookie ends, in ms: at its own time, or at the absolute limit (seconds since the password was given) where
 * that was longer when it was issued. The end of a sign-in is remembered for no longer than one may live now.
 */
export function endOfCookie({ exp, auth_time }: CookiePayload, absoluteTtl: number): number {
  return Math.min(exp, auth_time + absoluteTtl) * 1000
}

/** The cookie's value: the payload as base64url JSON, signed. */
export function sealCookie(keys: PurposeKeys, content: CookiePayload): string {
  return signValue(keys, encodeJson(content))
}

/** Null for whatever was not sealed under one of these keys. Says nothing of expiry. */
export function openCookie(keys: PurposeKeys, value: string): CookiePayload | null {
  const encoded = verifyValue(keys, value)
  const content = encoded === null ? null : decodeJson(encoded)
  return isPayload(content) ? content : null
}
