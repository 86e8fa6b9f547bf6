import type { FastifyReply, FastifyRequest } from 'fastify'
import { beforeAnswer } from './before-answer.js'
import type { Clock } from './contract.js'
import type { CookieChange, SessionCookie, SessionCredential } from './session-cookie.js'
import type { StoredSession } from './session-records.js'
import type { SessionSlot } from './session-slot.js'
import { lifetimeOf, type SessionTtls, type Used } from './session-use.js'

/** Where a request keeps its turn. Not there: nothing has asked for its session. */
export const kSession = Symbol('fastify-identity.session')

declare module 'fastify' {
  interface FastifyRequest {
    [kSession]?: SessionTurn
  }
}

/** What is known of a request's session until its answer goes out. */
export class SessionTurn {
  /** `request.session`, on routes that use it. */
  slot: SessionSlot | null = null
  /** Id of the session that the client holds, or is being handed. */
  held: string | null = null
  /** What happens to the cookie, unless saving the session changes that. One answer sets it once. */
  change: CookieChange | null = null

  /** The request's, which ends with its answer: by this cookie. */
  static of(request: FastifyRequest, cookie: SessionCookie): SessionTurn {
    const begun = request[kSession]
    if (begun) return begun
    const turn = new SessionTurn()
    request[kSession] = turn
    beforeAnswer(request, (reply) => turn.settle(reply, cookie))
    return turn
  }

  /**
   * Saves the session, then writes the cookie: also on the answer that says that saving failed, for what was
   * signed in or out before that is so all the same.
   */
  private async settle(reply: FastifyReply, cookie: SessionCookie): Promise<void> {
    try {
      await this.slot?.saveChanges()
      this.change = this.changeAfterSaving()
    } finally {
      if (this.change) cookie.write(reply, this.change)
    }
  }

  private changeAfterSaving(): CookieChange | null {
    const { slot, held, change } = this
    if (!slot) return change
    const { storedId } = slot
    if (storedId !== null && storedId !== held) return { kind: 'set', id: storedId }
    if (held !== null && slot.hasEnded(held)) return { kind: 'clear' }
    // One that somebody else destroyed is left: by now the browser may hold the one that took its place.
    return change?.kind === 'set' && slot.isGone(change.id) ? null : change
  }
}

/** Whether the cookie must be set again: under the key that signs now, or to last as long as the session now does. */
export function renewalOf(
  credential: Extract<SessionCredential, { kind: 'genuine' }>,
  stored: StoredSession,
  used: Used,
  ttls: SessionTtls,
  clock: Clock,
): CookieChange | null {
  const remember = stored.content.signIn?.remember === true
  if (!credential.stale && !(used.touched && remember)) return null
  if (!remember) return { kind: 'set', id: credential.id }
  const left = Math.ceil((stored.absoluteExpiresAt - clock()) / 1000)
  return { kind: 'set', id: credential.id, maxAge: Math.min(lifetimeOf(ttls, true).idleTtl, left) }
}
