import type { PairAnswer } from './answers.js'

/** Times are in ms, by this machine's clock. */
export interface Tokens {
  readonly token: string
  readonly refreshToken: string
  readonly expiresAt: number
  /** When the access token came. */
  readonly since: number
  /** However often it is refreshed. */
  readonly endsAt: number
  readonly rotations: number
}

/*
 * In memory only. localStorage would give them to every script that ever runs on this origin, now or after
 * the next injection, and would keep them when the tab is long closed. The price: a reload forgets them.
 */
let held: Tokens | null = null

export const tokens = (): Tokens | null => held

/** Lifetimes count from now, so that a clock that differs from the server's is no matter. */
export function hold(pair: PairAnswer, now = Date.now()): void {
  held = {
    token: pair.token,
    refreshToken: pair.refresh_token,
    expiresAt: now + pair.expires_in * 1000,
    since: now,
    endsAt: now + pair.refresh_expires_in * 1000,
    rotations: held ? held.rotations + 1 : 0,
  }
}

export function forgetTokens(): void {
  held = null
}

function decodePart(part: string): unknown {
  const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}

/** The header and payload of a JWT (RFC 7519 §3). Nothing is verified: anybody can read them like this. */
export function readToken(token: string): { readonly header: unknown; readonly payload: unknown } {
  const [header = '', payload = ''] = token.split('.')
  return { header: decodePart(header), payload: decodePart(payload) }
}
