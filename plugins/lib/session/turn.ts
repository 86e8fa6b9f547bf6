import type { FastifyReply, FastifyRequest } from 'fastify'
import { beforeAnswer } from '../http/before-answer.js'
import type { CookieChange, SessionCookie, SessionCredential } from './cookie.js'
import type { StoredSession } from './records.js'
import type { SessionSlot } from './slot.js'
import type { SessionUse, Used } from './use.js'

/** Where a request keeps its turn. Not there: nothing has asked for its session. */
export const kSession = Symbol('fastify-identity.session')

declare module 'fastify' {
  interface FastifyRequest {
    [kSession]?: SessionTurn
  }
}

/**
 * The cookie that came is to be set again, noted as the request began. Whether it may be is asked when the answer is
 * written: somebody may have signed in at the same browser meanwhile.
 */
export interface Renewal {
  readonly kind: 'renew'
  readonly id: string
  readonly stored: StoredSession
}

/** What is known of a request's session until its answer goes out. */
export class SessionTurn {
  /** `request.session`, on routes that use it. */
  slot: SessionSlot | null = null
  /** Id of the session that the client holds, or is being handed. */
  held: string | null = null
  /** What happens to the cookie, unless saving the session changes that. One answer sets it once. */
  change: CookieChange | Renewal | null = null
  /** Whether the answer has come to where the session is saved. */
  private settled = false

  /** The request's, which ends with its answer. */
  static of(request: FastifyRequest, cookie: SessionCookie, use: SessionUse): SessionTurn {
    const begun = request[kSession]
    if (begun) return begun
    const turn = new SessionTurn()
    request[kSession] = turn
    beforeAnswer(request, (reply) => turn.settle(reply, cookie, use))
    return turn
  }

  /**
   * Writes the cookie as it would be if the answer went out now: an application that answers by `reply.raw` takes it
   * from the headers. What comes later may take it back. A renewal waits for the answer.
   */
  show(reply: FastifyReply, cookie: SessionCookie): void {
    this.change = this.changeAfterSaving()
    if (this.change?.kind !== 'renew') cookie.write(reply, this.change)
  }

  /** Whether the route changed data that nothing has saved, and nothing will: it answers without Fastify. */
  get isForgotten(): boolean {
    try {
      return !this.settled && this.slot?.hasChanges === true
    } catch {
      return true
    }
  }

  /**
   * Saves the session, then writes the cookie: also on the answer that says that saving failed, for what was
   * signed in or out before that is so all the same.
   */
  private async settle(reply: FastifyReply, cookie: SessionCookie, use: SessionUse): Promise<void> {
    this.settled = true
    try {
      await this.slot?.saveChanges()
      this.change = this.changeAfterSaving()
    } finally {
      const { change } = this
      cookie.write(reply, change?.kind === 'renew' ? await renewed(change, use) : change)
    }
  }

  private changeAfterSaving(): CookieChange | Renewal | null {
    const { slot, held, change } = this
    if (!slot) return change
    const { storedId } = slot
    if (storedId !== null && storedId !== held) return { kind: 'set', id: storedId }
    if (held !== null && slot.hasEnded(held)) return { kind: 'clear' }
    // One that somebody else destroyed is left: by now the browser may hold the one that took its place.
    return change && change.kind !== 'clear' && slot.isGone(change.id) ? null : change
  }
}

async function renewed({ id, stored }: Renewal, use: SessionUse): Promise<CookieChange | null> {
  return (await use.mayRenewCookie(stored)) ? { kind: 'set', id, maxAge: use.maxAgeOf(stored) } : null
}

/** Whether the cookie must be set again: under the key that signs now, or to last as long as the session now does. */
export function renewalOf(
  { id, stale }: Extract<SessionCredential, { kind: 'genuine' }>,
  stored: StoredSession,
  used: Used,
): Renewal | null {
  const outlives = used.touched && stored.content.signIn?.remember === true
  return stale || outlives ? { kind: 'renew', id, stored } : null
}
