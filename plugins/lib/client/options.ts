import type { Environment } from './environment.js'
import type { StorageChoice } from './storage.js'

export interface ClientOptions {
  /** Where the user center is, for example `https://example.com`. Defaults to the page's origin; required elsewhere. */
  readonly baseUrl?: string | URL
  /** Defaults to `token`. */
  readonly mode?: 'token' | 'session' | 'cookie'
  /** Where token mode keeps the refresh token. Defaults to `memory`. */
  readonly storage?: StorageChoice
  /**
   * Token mode: binds the tokens to a key of this browser (DPoP), so that a copy of them is worth nothing. The server must
   * support it (`PUBLIC_URL`, or `dpop`); otherwise signing in fails with `PROOF_INVALID`. Defaults to false.
   */
  readonly bound?: boolean
  /** Called whenever the sign-in is over: signed out here or elsewhere, expired, or refused. */
  readonly onSignedOut?: (error: string) => void
  /** Replaces parts of the browser, for tests. */
  readonly environment?: Partial<Environment>
}

export interface Credentials {
  readonly username: string
  readonly password: string
  /** Not in token mode. */
  readonly remember?: boolean
}

/** A second factor. `response` is the browser's answer to the options of a passkey, as JSON. */
export type FactorProof =
  | { readonly factor: 'totp' | 'recovery_code'; readonly code: string }
  | { readonly factor: 'passkey'; readonly response: object }

/** A sign-in by a passkey alone. `pending` comes from `POST /login_passkey/options`. */
export interface PasskeyProof {
  readonly pending: string
  readonly response: object
  /** Not in token mode. */
  readonly remember?: boolean
}

/** The `pending` of a refused login makes it the second step. Without `pending`, it is a step-up. */
export type Proof =
  | PasskeyProof
  | (FactorProof & { readonly pending?: string })
  | { readonly password: string }
