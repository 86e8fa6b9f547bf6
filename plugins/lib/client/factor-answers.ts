import type { TokenPair } from './account-answers.js'

/* The answers about second factors. */

export type FactorKind = 'totp' | 'passkey' | 'recovery_code'

/** A second factor of the caller. Times are ISO 8601 in UTC. */
export interface Factor {
  readonly id: string
  readonly kind: FactorKind
  readonly name: string
  readonly created_at: string
  readonly last_used_at: string | null
  /** How many recovery codes are left. */
  readonly left?: number
}

/** Only this answer contains the codes. */
export interface RecoveryCodes {
  readonly recovery_codes: readonly string[]
}

/** Only this answer contains the secret. */
export interface NewTotp {
  readonly id: string
  /** In base32. */
  readonly secret: string
  /** `otpauth://totp/…` */
  readonly uri: string
  /** The same as a QR code: `data:image/svg+xml;base64,…` */
  readonly qr: string
}

/** For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` (Web Authentication, Level 3). */
export type PasskeyOptions = Readonly<Record<string, unknown>>

/** The `data` of `SECOND_FACTOR_REQUIRED`. A reset of a password has no `pending`. */
export interface SecondFactorAsked {
  readonly pending?: string
  readonly factors: readonly FactorKind[]
  /** In seconds. */
  readonly expires_in?: number
}

/** Only token mode has the fields of a pair. */
export interface SignedInByFactor extends Partial<TokenPair> {
  /** Present if three or fewer are left. */
  readonly recovery_codes_left?: number
}
