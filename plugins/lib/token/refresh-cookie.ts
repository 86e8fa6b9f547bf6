import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PurposeKeys } from '../credentials/keys.js'
import { type CookieSpec, readCookie, removeCookie, setCookie } from '../http/cookies.js'
import type { SignIns } from '../sign-ins/contract.js'
import type { TokenPair } from './pair.js'
import { openRefreshToken } from './refresh-token.js'

/** A pair of tokens whose refresh token is in a cookie. */
export type PairInCookie = Omit<TokenPair, 'refreshToken'>

/**
 * The refresh token as a cookie (`HttpOnly`, `SameSite=Strict`), for pages that must stay signed in over a reload without
 * a token that a script can read. A browser sends it by itself, so the routes that read it need the same-origin check
 * (`app.csrf.sameOrigin`).
 */
export interface RefreshCookie {
  /** The refresh token in the request's cookie; null without one, or with two. It is not verified yet. */
  read(request: FastifyRequest): string | null
  /**
   * Sets the pair's refresh token as the cookie. If that replaces the cookie of another sign-in, ends that sign-in
   * first.
   * @returns the rest of the pair, for the answer's body
   * @throws STORE_UNAVAILABLE
   */
  set(request: FastifyRequest, reply: FastifyReply, pair: TokenPair): Promise<PairInCookie>
}

interface Parts {
  readonly spec: CookieSpec
  readonly keys: PurposeKeys
  readonly signIns: Pick<SignIns, 'end'>
}

export class RefreshCookies implements RefreshCookie {
  constructor(private readonly parts: Parts) {}

  read({ headers }: FastifyRequest): string | null {
    const reading = readCookie(headers.cookie, this.parts.spec.name)
    return reading.kind === 'one' ? reading.value : null
  }

  async set(request: FastifyRequest, reply: FastifyReply, pair: TokenPair): Promise<PairInCookie> {
    const { refreshToken, ...rest } = pair
    await this.#endReplaced(request, pair)
    setCookie(reply, this.parts.spec, refreshToken, pair.refreshExpiresIn)
    return rest
  }

  /** Without its cookie, no client could sign it out. It would stay in the list until it expires. */
  async #endReplaced(request: FastifyRequest, { signInId }: TokenPair): Promise<void> {
    const before = openRefreshToken(this.parts.keys, this.read(request))
    if (!before || before.signInId === signInId) return
    const ending = { by: 'self', why: 'replaced', actorId: before.accountId, request } as const
    await this.parts.signIns.end(before, ending)
  }

  /** Ends the sign-in of the request's cookie. @returns whether the cookie was genuine */
  async signOut(request: FastifyRequest): Promise<boolean> {
    const claims = openRefreshToken(this.parts.keys, this.read(request))
    if (claims) await this.parts.signIns.end(claims, { signedOut: 'token', request })
    return claims !== null
  }

  /** Clears the cookie if the request has one, and removes the one that the answer would set. */
  clear(request: FastifyRequest, reply: FastifyReply): void {
    removeCookie(request, reply, this.parts.spec)
  }
}
