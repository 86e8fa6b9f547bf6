import type { TokenPair } from 'fastify-identity/client'

/** Times are in ms, by this machine's clock. */
export interface Tokens {
  readonly token: string
  readonly expiresAt: number
  /** When the access token arrived. */
  readonly since: number
  /** The end of the sign-in. A refresh does not move it. */
  readonly endsAt: number
  readonly rotations: number
}

/*
 * For the inspector. In memory only: every script on this origin could read localStorage, also an injected one, and it would
 * outlive the tab. The refresh token is in a cookie, which no script can read.
 */
let held: Tokens | null = null

export const tokens = (): Tokens | null => held

/** Lifetimes count from now, so this clock need not agree with the server's. */
export function hold(pair: TokenPair, isRefreshed: boolean, now = Date.now()): void {
  held = {
    token: pair.token,
    expiresAt: now + pair.expires_in * 1000,
    since: now,
    endsAt: now + pair.refresh_expires_in * 1000,
    rotations: held && isRefreshed ? held.rotations + 1 : 0,
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

/** The header and payload of a JWT (RFC 7519 §3). It verifies nothing: anybody can read them. */
export function readToken(token: string): { readonly header: unknown; readonly payload: unknown } {
  const [header = '', payload = ''] = token.split('.')
  return { header: decodePart(header), payload: decodePart(payload) }
}
