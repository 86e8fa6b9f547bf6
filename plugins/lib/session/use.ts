import type { FastifyBaseLogger } from 'fastify'
import type { Clock, MaybePromise } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import type { SignIns } from '../sign-ins/contract.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import type { SessionContent } from './content.js'
import { sessionKeyOf } from './cookie.js'
import { type SessionRecords, type StoredSession, whenReady } from './records.js'

/** How long sessions live, in seconds. */
export interface SessionTtls {
  readonly idleTtl: number
  readonly absoluteTtl: number
  /** The idle limit of a remembered session. */
  readonly rememberTtl: number
}

export type SessionLifetime = Pick<SessionTtls, 'idleTtl' | 'absoluteTtl'>

/**
 * A remembered session may be left unused for `rememberTtl`, so it lives at least that long: with an
 * absolute limit below it, remembering would do less than it says.
 */
export function lifetimeOf(ttls: SessionTtls, remember: boolean): SessionLifetime {
  const { idleTtl, absoluteTtl, rememberTtl } = ttls
  return remember
    ? { idleTtl: rememberTtl, absoluteTtl: Math.max(absoluteTtl, rememberTtl) }
    : { idleTtl, absoluteTtl }
}

/** When a session ends at the latest (ms). A visitor's holds nobody's sign-in: its record's limit will do. */
export function endOfSession(ttls: SessionTtls, { signIn }: SessionContent): number {
  if (!signIn) return Number.POSITIVE_INFINITY
  return signIn.auth_time + lifetimeOf(ttls, signIn.remember).absoluteTtl * 1000
}

export interface SessionUseParts {
  readonly records: SessionRecords
  readonly signIns: SignIns
  readonly ttls: SessionTtls
  readonly clock: Clock
  readonly log: FastifyBaseLogger
}

/** What the parts of the session mode share. */
export interface SessionParts extends Omit<SessionUseParts, 'log'> {
  readonly use: SessionUse
}

/** What using a session did to it. */
export interface Used {
  /** Its idle limit moves. */
  readonly touched: boolean
  /** The session as it is afterwards, or as it was when nothing was due, or that failed. Never rejects. */
  readonly after: Promise<StoredSession> | null
}

/** Reads sessions, and keeps those alive that are used. */
export class SessionUse {
  /** By session key: many requests at once touch a session once. */
  private readonly running = new Map<string, Promise<StoredSession>>()

  constructor(private readonly parts: SessionUseParts) {}

  /** The session of that id, or null when there is none, or its sign-in was ended. */
  load(id: string): MaybePromise<StoredSession | null> {
    const { records, signIns } = this.parts
    return whenReady(records.read(sessionKeyOf(id)), (stored) => {
      if (!stored?.content.signIn) return stored
      return whenReady(signIns.isLive(refOf(stored.content.signIn)), (live) => (live ? stored : null))
    })
  }

  /**
   * Moves the idle limits of session and sign-in, once a tenth of the idle time has passed since they were
   * moved last, and seals the record anew when its key no longer signs. The request does not wait for it,
   * and does not fail when it does: the next one tries again.
   */
  note(stored: StoredSession): Used {
    const touched = this.isTouchDue(stored)
    const running = this.running.get(stored.key)
    if (running || (!touched && !stored.stale)) return { touched, after: running ?? null }
    const after = this.extend(stored, touched)
      .catch((error: unknown) => {
        this.parts.log.warn({ err: error }, 'a session could not be touched')
        return stored
      })
      .finally(() => this.running.delete(stored.key))
    this.running.set(stored.key, after)
    return { touched, after }
  }

  /**
   * Whether a session's cookie may be set again as the answer is written. Not once its sign-in has ended, nor after this
   * process destroyed the session: by then the browser may hold the cookie of another one, which must stay.
   */
  async mayRenewCookie({ key, absoluteExpiresAt, content: { signIn } }: StoredSession): Promise<boolean> {
    const { records, signIns, log, clock } = this.parts
    if (clock() >= absoluteExpiresAt) return false
    try {
      const isLive = signIn === null || (await isLiveNow(signIns, refOf(signIn)))
      return isLive && !records.hasDestroyed(key)
    } catch (error) {
      log.warn({ err: error }, 'a session cookie could not be renewed')
      return false
    }
  }

  /** The cookie's `Max-Age`, in seconds, when it is set again. Undefined: it ends with the browser. */
  maxAgeOf({ content, absoluteExpiresAt }: StoredSession): number | undefined {
    if (!content.signIn?.remember) return undefined
    const { ttls, clock } = this.parts
    const left = Math.ceil((absoluteExpiresAt - clock()) / 1000)
    return Math.min(lifetimeOf(ttls, true).idleTtl, left)
  }

  /** Until when (ms) using the session does nothing to it. */
  restsUntil(stored: StoredSession): number {
    const { idleExpiresAt, absoluteExpiresAt } = stored
    if (stored.stale) return 0
    return idleExpiresAt >= absoluteExpiresAt ? absoluteExpiresAt : this.touchDueAt(stored)
  }

  /** Resolves when no touch is under way any more. */
  async settle(): Promise<void> {
    await Promise.all(this.running.values())
  }

  private idleTtlOf(stored: StoredSession): number {
    return lifetimeOf(this.parts.ttls, stored.content.signIn?.remember === true).idleTtl
  }

  private isTouchDue(stored: StoredSession): boolean {
    const { idleExpiresAt, absoluteExpiresAt } = stored
    return idleExpiresAt < absoluteExpiresAt && this.touchDueAt(stored) <= this.parts.clock()
  }

  /** When a tenth of the idle time has passed since the limit was moved. */
  private touchDueAt(stored: StoredSession): number {
    return stored.idleExpiresAt - this.idleTtlOf(stored) * 900
  }

  /**
   * The sign-in goes first, and a session whose sign-in is gone is left alone: a session that outlived its
   * sign-in would be missed by whoever ends all sign-ins of an account.
   */
  private async extend(stored: StoredSession, touched: boolean): Promise<StoredSession> {
    const { records, signIns, clock } = this.parts
    const idleTtl = this.idleTtlOf(stored)
    const { absoluteExpiresAt, content } = stored
    const idleExpiresAt = touched
      ? Math.min(clock() + idleTtl * 1000, absoluteExpiresAt)
      : stored.idleExpiresAt
    if (touched && content.signIn && !(await signIns.touch(refOf(content.signIn), idleTtl))) {
      return stored
    }
    const moved = { ...stored, idleExpiresAt }
    if (!stored.stale) {
      await records.touch(stored.key, idleExpiresAt)
      return moved
    }
    const replaced = await records.replace(moved, content)
    return typeof replaced === 'string' ? stored : replaced
  }
}
