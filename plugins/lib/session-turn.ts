import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from './contract.js'
import type { SessionCookie, SessionCredential } from './session-cookie.js'
import type { StoredSession } from './session-records.js'
import type { SessionSlot } from './session-slot.js'
import { lifetimeOf, type SessionTtls, type Used } from './session-use.js'

/** Where a request keeps its turn. null: nothing has asked for its session. */
export const kSession = Symbol('fastify-identity.session')

declare module 'fastify' {
  interface FastifyRequest {
    [kSession]: SessionTurn | null
  }
}

/** A cookie to be set again: under the key that signs now, or for as long as a remembered session now lives. */
interface Renewal {
  readonly id: string
  /** Seconds. */
  readonly maxAge?: number
}

/** What is known of a request's session until its answer goes out. */
export class SessionTurn {
  /** `request.session`, on routes that use it. */
  slot: SessionSlot | null = null
  /** Id of the session that the client holds, or is being handed. */
  held: string | null = null
  renewal: Renewal | null = null
  private settled = false

  static of(request: FastifyRequest): SessionTurn {
    request[kSession] ??= new SessionTurn()
    return request[kSession]
  }

  /**
   * Saves the session, then decides about the cookie. Once only: Fastify runs its hooks again for the
   * answer that says that saving failed.
   */
  async settle(reply: FastifyReply, cookie: SessionCookie): Promise<void> {
    if (this.settled) return
    this.settled = true
    const { slot, held, renewal } = this
    await slot?.saveChanges()
    const storedId = slot?.storedId ?? null
    if (storedId !== null && storedId !== held) cookie.set(reply, storedId)
    else if (held !== null && slot?.hasEnded(held)) cookie.clear(reply)
    // One that somebody else destroyed is left: by now the browser may hold the one that took its place.
    else if (renewal && !slot?.isGone(renewal.id)) cookie.set(reply, renewal.id, renewal.maxAge)
  }
}

/** Whether the cookie that came must be set again, and for how long. */
export function renewalOf(
  credential: Extract<SessionCredential, { kind: 'genuine' }>,
  stored: StoredSession,
  used: Used,
  ttls: SessionTtls,
  clock: Clock,
): Renewal | null {
  const remember = stored.content.signIn?.remember === true
  if (!credential.stale && !(used.touched && remember)) return null
  if (!remember) return { id: credential.id }
  const left = Math.ceil((stored.absoluteExpiresAt - clock()) / 1000)
  return { id: credential.id, maxAge: Math.min(lifetimeOf(ttls, true).idleTtl, left) }
}
