import type { FastifyBaseLogger } from 'fastify'
import type { Clock, MaybePromise } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import type { ModeDevices } from '../device/mode-devices.js'
import type { SignIns } from '../sign-ins/contract.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import type { SessionContent } from './content.js'
import { sessionKeyOf } from './cookie.js'
import { type SessionRecords, type StoredSession, whenReady } from './records.js'
import { stepOf } from './steps.js'

/** How long sessions live, in seconds. */
export interface SessionTtls {
  readonly idleTtl: number
  readonly absoluteTtl: number
  /** The idle limit of a remembered session. */
  readonly rememberTtl: number
}

export type SessionLifetime = Pick<SessionTtls, 'idleTtl' | 'absoluteTtl'>

/** A remembered session may stay unused for `rememberTtl`, so its absolute limit is at least that. */
export function lifetimeOf(ttls: SessionTtls, remember: boolean): SessionLifetime {
  const { idleTtl, absoluteTtl, rememberTtl } = ttls
  return remember
    ? { idleTtl: rememberTtl, absoluteTtl: Math.max(absoluteTtl, rememberTtl) }
    : { idleTtl, absoluteTtl }
}

/** The latest end of a session (ms). For an anonymous session only its record's limit applies. */
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

export interface SessionParts extends Omit<SessionUseParts, 'log'> {
  readonly use: SessionUse
  /** Null without device binding. */
  readonly devices: ModeDevices | null
}

export interface Used {
  /** Whether its idle limit moves. */
  readonly touched: boolean
  /** The session afterwards, unchanged if the write failed; null if nothing was due. Never rejects. */
  readonly after: Promise<StoredSession> | null
}

/** Reads sessions, and keeps used ones alive. */
export class SessionUse {
  /** By session key: parallel requests touch a session once. */
  private readonly running = new Map<string, Promise<StoredSession>>()

  constructor(private readonly parts: SessionUseParts) {}

  /** The session of that id, or null if there is none or its sign-in has ended. */
  load(id: string): MaybePromise<StoredSession | null> {
    const { records, signIns } = this.parts
    return whenReady(records.read(sessionKeyOf(id)), (stored) => {
      if (!stored?.content.signIn) return stored
      return whenReady(signIns.isLive(refOf(stored.content.signIn)), (live) => (live ? stored : null))
    })
  }

  /**
   * Moves the idle limits of session and sign-in, once a tenth of the idle time has passed since the last move. Seals the
   * record again if its key no longer signs. No request waits for it or fails with it; the next one retries.
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
   * Whether the answer may set the session's cookie again. Not if its sign-in has ended, this process destroyed the session
   * or a step-up gave it another id: the browser may already hold a newer cookie, which must stay.
   */
  async mayRenewCookie({ key, absoluteExpiresAt, content: { signIn } }: StoredSession): Promise<boolean> {
    const { records, signIns, log, clock } = this.parts
    if (clock() >= absoluteExpiresAt) return false
    try {
      if (signIn === null) return !records.hasDestroyed(key)
      const now = await records.read(key)
      const isNewest = now !== null && stepOf(now.content.signIn) === stepOf(signIn)
      return isNewest && (await isLiveNow(signIns, refOf(signIn))) && !records.hasDestroyed(key)
    } catch (error) {
      log.warn({ err: error }, 'a session cookie could not be renewed')
      return false
    }
  }

  /** The renewed cookie's `Max-Age`, in seconds. Undefined: it ends with the browser. */
  maxAgeOf({ content, absoluteExpiresAt }: StoredSession): number | undefined {
    if (!content.signIn?.remember) return undefined
    const { ttls, clock } = this.parts
    const left = Math.ceil((absoluteExpiresAt - clock()) / 1000)
    return Math.min(lifetimeOf(ttls, true).idleTtl, left)
  }

  /** The time (ms) until which using the session needs no write. */
  restsUntil(stored: StoredSession): number {
    const { idleExpiresAt, absoluteExpiresAt } = stored
    if (stored.stale) return 0
    return idleExpiresAt >= absoluteExpiresAt ? absoluteExpiresAt : this.touchDueAt(stored)
  }

  /** Resolves when no touch is under way. */
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

  /** The time (ms) at which a tenth of the idle time has passed since the last move. */
  private touchDueAt(stored: StoredSession): number {
    return stored.idleExpiresAt - this.idleTtlOf(stored) * 900
  }

  /**
   * Touches the sign-in first. If that is gone, it does not extend the session: "end all sign-ins" would miss a session
   * that outlives its sign-in.
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
