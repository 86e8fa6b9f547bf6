import type { TokenPair } from './answers.js'
import { fieldsOf } from './tools.js'

/** The tokens in use. */
export interface Held {
  readonly pair: TokenPair
  /** When the access token expires, by `Environment.now`. */
  readonly until: number
  /** How long before that it is refreshed, in milliseconds: half a minute, or a tenth of a short life. */
  readonly margin: number
  /** The sign-in's id, a claim of the access token. */
  readonly sid?: unknown
  /** When the access token was issued, by the server's clock. A claim as well. */
  readonly iat?: unknown
}

/** The claims of an access token. It verifies nothing: the token came from the server. */
function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'))))
  } catch {
    return {}
  }
}

const isPair = (data: unknown): data is TokenPair =>
  typeof fieldsOf(data).token === 'string' && typeof fieldsOf(data).expires_in === 'number'

/**
 * A pair that has just arrived. Its lifetime counts from now, so the clocks need not agree.
 * @returns null for data that is no pair
 */
export function hold(data: unknown, now: number): Held | null {
  if (!isPair(data)) return null
  const margin = Math.min(30_000, data.expires_in * 100)
  return { ...claimsOf(data.token), pair: data, margin, until: now + data.expires_in * 1000 }
}
