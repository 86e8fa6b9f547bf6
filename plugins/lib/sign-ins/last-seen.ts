import type { FastifyBaseLogger } from 'fastify'
import type { Clock, SignInRef } from '../contract.js'
import { Newest } from '../newest.js'
import type { StateStore } from '../stores/contract.js'
import type { Seen } from './contract.js'

export interface LastSeenParts {
  readonly store: Pick<StateStore, 'touchSignIn'>
  readonly clock: Clock
  readonly log: Pick<FastifyBaseLogger, 'warn'>
  /** How many sign-ins are remembered, at about 100 bytes each. */
  readonly max?: number
}

/** How far the stored last-seen time may be behind, in ms. */
const COALESCE = 60_000

/** Whether the last-seen time is due to be stored. True also if the clock was set back. */
export function isPast(seenAt: number, now: number): boolean {
  return Math.abs(now - seenAt) >= COALESCE
}

const MAX = 100_000
/** Leaves the limit as it is: a store only moves it forward. */
const SAME_LIMIT = 0

/**
 * Writes when a sign-in was last seen, at most once a minute for each sign-in and instance. No request waits for the
 * write, or fails with it.
 */
export class LastSeen {
  readonly #parts: LastSeenParts
  /** When each was written, in ms. The oldest comes first. */
  readonly #written: Newest<string, number>
  readonly #running = new Set<Promise<void>>()

  constructor(parts: LastSeenParts) {
    this.#parts = parts
    this.#written = new Newest(parts.max ?? MAX)
  }

  /**
   * Writes the time if a write is due. Never throws. Cannot bring an ended sign-in back, because the store only updates
   * existing records.
   */
  noteSeen(
    { accountId, signInId }: Pick<SignInRef, 'accountId' | 'signInId'>,
    verified?: Seen,
    now = this.#parts.clock(),
  ): void {
    const isDue = this.#isDue(signInId, now)
    if (isDue) this.mark(signInId, now)
    if (verified) verified.seenAt = this.#written.get(signInId) ?? verified.seenAt
    if (isDue) this.#start(accountId, signInId, now)
  }

  #start(accountId: string, signInId: string, now: number): void {
    const writing = this.#write(accountId, signInId, now).finally(() => this.#running.delete(writing))
    this.#running.add(writing)
  }

  /** Notes that the time was written elsewhere: no write is due for a minute. */
  mark(signInId: string, now = this.#parts.clock()): void {
    this.#written.set(signInId, now)
  }

  /** Resolves when all writes have ended. */
  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  #isDue(signInId: string, now: number): boolean {
    const written = this.#written.get(signInId)
    if (written !== undefined) return isPast(written, now)
    if (this.#written.size < this.#written.max) return true
    // If more sign-ins are seen in a minute than are remembered, forgetting one that was just written would write it
    // with every request. So this one is not written now.
    const [oldest] = this.#written.values()
    return oldest !== undefined && isPast(oldest, now)
  }

  async #write(accountId: string, signInId: string, now: number): Promise<void> {
    const { store, log } = this.#parts
    try {
      await store.touchSignIn(accountId, signInId, now, SAME_LIMIT)
    } catch (error) {
      log.warn({ err: error }, 'the last-seen time of a sign-in could not be written')
    }
  }
}
