/**
 * A way to prove who one is. `external`: another system did it, such as an identity provider, and the application
 * vouches for that.
 */
export type FactorMethod = 'password' | 'totp' | 'passkey' | 'recovery_code' | 'external'

/** How somebody has proved who they are, and when. */
export interface GivenFactor {
  readonly method: FactorMethod
  /** In ms. */
  readonly at: number
}
