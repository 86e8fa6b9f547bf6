import type { SignInRef } from '../../contract.js'
import type { RefreshClaims } from '../../token/refresh-token.js'

/** What was found out about a credential without asking a store. */
export interface Finding {
  readonly kind: 'auth cookie' | 'session cookie' | 'access token' | 'refresh token' | 'no credential of ours'
  /** Id of the key that it names, or null where none can be read. */
  readonly keyId: string | null
  /** What is inside, verified or not: whoever holds it can read that. Null where nothing is. */
  readonly content: object | null
  /** When it expires, in ms, where it says so itself. */
  readonly expiresAt: number | null
  /** Why it does not verify, or that it has expired, with the code that the server answers. Null: genuine. */
  readonly fault: Fault | null
  readonly subject: Subject | null
}

export interface Fault {
  readonly code: string
  readonly sentence: string
}

/** What to ask the stores about, of a genuine credential. */
export type Subject =
  | { readonly kind: 'sign-in'; readonly ref: SignInRef }
  | { readonly kind: 'session'; readonly id: string }
  | { readonly kind: 'refresh'; readonly claims: RefreshClaims }

export const NOTHING: Finding = Object.freeze({
  kind: 'no credential of ours',
  keyId: null,
  content: null,
  expiresAt: null,
  fault: { code: 'CREDENTIAL_INVALID', sentence: 'It has the form of no credential of ours, or is cut off.' },
  subject: null,
})

/** An object that the text stands for in base64url JSON, or null. */
export function decodeObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return typeof value === 'object' && value !== null ? value : null
  } catch {
    return null
  }
}

/** A number of the object, such as a time, or null. */
export function numberIn(content: object | null, name: string): number | null {
  const value: unknown = content && Object.hasOwn(content, name) ? Reflect.get(content, name) : null
  return typeof value === 'number' ? value : null
}
