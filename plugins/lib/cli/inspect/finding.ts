import type { FoundApiKey } from '../../api-key/contract.js'
import type { Config } from '../../config/config.js'
import type { GivenFactor, SignInRef } from '../../contract.js'
import type { KeyRing } from '../../credentials/keys.js'
import type { RefreshClaims } from '../../token/refresh-token.js'

/** The server's settings and keys. */
export interface InspectParts {
  readonly config: Config
  readonly ring: KeyRing
  /** In ms. */
  readonly now: number
}

/** The properties of a credential that can be read without a store. */
export interface Finding {
  readonly kind:
    | 'auth cookie'
    | 'session cookie'
    | 'access token'
    | 'refresh token'
    | 'API key'
    | 'proof of a device'
    | 'no credential of ours'
  /** Id of the key that it names. Null if it names none. */
  readonly keyId: string | null
  /** The readable content, verified or not: anybody who holds the credential can read it. */
  readonly content: object | null
  /** The expiry that the credential itself states, in ms. */
  readonly expiresAt: number | null
  /** Why verification failed, or that the credential has expired. Null if it is genuine and has not expired. */
  readonly fault: Fault | null
  readonly subject: Subject | null
  /** Thumbprint of the key that it is bound to, if any. */
  readonly boundTo?: string | undefined
  /** The factors in the cookie or token. */
  readonly factors?: readonly GivenFactor[] | undefined
}

/** An object of JSON, unchecked. */
export type Content = Readonly<Record<string, unknown>>

export interface Fault {
  /** The code that the server answers. */
  readonly code: string
  readonly sentence: string
}

/** The sign-in or session of a genuine credential, to be looked up in the store. */
export type Subject =
  | { readonly kind: 'sign-in'; readonly ref: SignInRef }
  | { readonly kind: 'session'; readonly id: string; readonly step: number }
  | { readonly kind: 'api-key'; readonly found: FoundApiKey }
  | { readonly kind: 'refresh'; readonly claims: RefreshClaims }

export const NOTHING: Finding = Object.freeze({
  kind: 'no credential of ours',
  keyId: null,
  content: null,
  expiresAt: null,
  fault: {
    code: 'CREDENTIAL_INVALID',
    sentence: 'This is no credential of this server, or a part of it is missing.',
  },
  subject: null,
})

const isContent = (value: unknown): value is Content => typeof value === 'object' && value !== null

/** The object whose JSON is encoded in base64url, or null. */
export function decodeObject(text: string): Content | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return isContent(value) ? value : null
  } catch {
    return null
  }
}

/** The claim `exp` in ms, or null. */
export function expiryOf(content: Content | null): number | null {
  return typeof content?.exp === 'number' ? content.exp * 1000 : null
}
