import type { PurposeKeys } from '../credentials/keys.js'
import { RefreshRefused } from '../errors.js'
import type { SignInRecord } from '../stores/contract.js'
import type { AccessTokens } from './access-token.js'
import { deriveRefreshToken } from './refresh-token.js'

/** The result of a token sign-in. */
export interface TokenPair {
  readonly signInId: string
  readonly token: string
  /** `DPoP`: each use of the tokens needs a proof by the key that the login has shown (RFC 9449 §5). */
  readonly tokenType: 'Bearer' | 'DPoP'
  /** The lifetime of the access token, in seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
  /** Seconds to the sign-in's absolute end, which rotation never extends. */
  readonly refreshExpiresIn: number
}

/**
 * @param now in ms
 * @param jkt thumbprint of the key that the tokens are bound to, or null
 */
export function tokenPair(
  keys: PurposeKeys,
  record: SignInRecord,
  access: ReturnType<AccessTokens['issue']>,
  now: number,
  jkt: string | null,
): TokenPair {
  const refreshToken = deriveRefreshToken(keys, record, jkt)
  // The successor's key is no longer in the ring.
  if (refreshToken === null) throw new RefreshRefused()
  const refreshExpiresIn = Math.floor((record.absoluteExpiresAt - now) / 1000)
  const tokenType = jkt === null ? 'Bearer' : 'DPoP'
  return { signInId: record.id, ...access, tokenType, refreshToken, refreshExpiresIn }
}
