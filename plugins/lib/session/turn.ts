import type { FastifyReply, FastifyRequest } from 'fastify'
import { beforeAnswer } from '../http/before-answer.js'
import type { CookieChange, SessionCookie, SessionCredential } from './cookie.js'
import type { StoredSession } from './records.js'
import type { SessionSlot } from './slot.js'
import { stepOf } from './steps.js'
import type { SessionUse, Used } from './use.js'

/** The request's turn, once its session was asked for. */
export const kSession = Symbol('fastify-identity.session')

declare module 'fastify' {
  interface FastifyRequest {
    [kSession]?: SessionTurn
  }
}

/**
 * The request's cookie is due to be set again. Whether it may be is decided when the answer is written: somebody may
 * have signed in at the same browser meanwhile.
 */
export interface Renewal {
  readonly kind: 'renew'
  readonly id: string
  readonly stored: StoredSession
}

/** The state of a request's session until its answer. */
export class SessionTurn {
  /** `request.session`, on routes that use it. */
  slot: SessionSlot | null = null
  /** The session id that the client has after this answer. */
  held: string | null = null
  /** The cookie's change, unless saving the session decides otherwise. */
  change: CookieChange | Renewal | null = null
  /** Whether the session was saved for the answer. */
  private settled = false

  /** The request's turn. It settles before the answer. */
  static of(request: FastifyRequest, cookie: SessionCookie, use: SessionUse): SessionTurn {
    const begun = request[kSession]
    if (begun) return begun
    const turn = new SessionTurn()
    request[kSession] = turn
    beforeAnswer(request, (reply) => turn.settle(reply, cookie, use))
    return turn
  }

  /**
   * Writes the cookie into the headers already now, for an application that answers by `reply.raw`. Later changes may
   * undo it. A renewal waits for the answer.
   */
  show(reply: FastifyReply, cookie: SessionCookie): void {
    this.change = this.changeAfterSaving()
    if (this.change?.kind !== 'renew') cookie.write(reply, this.change)
  }

  /** Whether the route changed data and nothing will save it, because it answered without Fastify. */
  get isForgotten(): boolean {
    try {
      return !this.settled && this.slot?.hasChanges === true
    } catch {
      return true
    }
  }

  /** Saves the session, then writes the cookie. A failed save undoes no sign-in or sign-out, so the cookie is still written. */
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
    // Another request destroyed it: the browser may hold its successor's cookie by now.
    return change && change.kind !== 'clear' && slot.isGone(change.id) ? null : change
  }
}

async function renewed({ id, stored }: Renewal, use: SessionUse): Promise<CookieChange | null> {
  if (!(await use.mayRenewCookie(stored))) return null
  return { kind: 'set', id, step: stepOf(stored.content.signIn), maxAge: use.maxAgeOf(stored) }
}

/** Due if the cookie is under an old key, or would expire before its touched session. Never for an old id from before a step-up. */
export function renewalOf(
  { id, step, stale }: SessionCredential,
  stored: StoredSession,
  used: Used,
): Renewal | null {
  if (step !== stepOf(stored.content.signIn)) return null
  const outlives = used.touched && stored.content.signIn?.remember === true
  return stale || outlives ? { kind: 'renew', id, stored } : null
}
