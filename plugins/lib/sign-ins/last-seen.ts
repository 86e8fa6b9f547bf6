import type { FastifyBaseLogger } from 'fastify'
import type { Clock, SignInRef } from '../contract.js'
import { keepNewest } from '../newest.js'
import type { StateStore } from '../stores/contract.js'
import { isPast, type Marks } from './marks.js'

export interface LastSeenParts {
  readonly store: Pick<StateStore, 'touchSignIn'>
  readonly clock: Clock
  readonly log: Pick<FastifyBaseLogger, 'warn'>
  /** How many sign-ins are remembered, at some 100 bytes each. */
  readonly max?: number
}

const MAX = 100_000
/** Moves no limit: a store moves it forward only. */
const SAME_LIMIT = 0

/**
 * Writes when a sign-in was seen last, at most once a minute for each (by each instance: they don't ask each
 * other). No request waits for it, or fails with it.
 */
export class LastSeen {
  readonly #parts: LastSeenParts
  readonly #max: number
  /** When each was written, in ms; the one that was written longest ago comes first. */
  readonly #written = new Map<string, number>()
  readonly #running = new Set<Promise<void>>()

  constructor(parts: LastSeenParts) {
    this.#parts = parts
    this.#max = parts.max ?? MAX
  }

  /** Writes it where that is due. Never throws, and brings no ended sign-in back: the store updates what is there. */
  note(
    { accountId, signInId }: Pick<SignInRef, 'accountId' | 'signInId'>,
    marks?: Marks,
    now = this.#parts.clock(),
  ): void {
    const isDue = this.#isDue(signInId, now)
    if (isDue) this.mark(signInId, now)
    if (marks) marks.seenAt = this.#written.get(signInId) ?? marks.seenAt
    if (isDue) this.#start(accountId, signInId, now)
  }

  #start(accountId: string, signInId: string, now: number): void {
    const writing = this.#write(accountId, signInId, now).finally(() => this.#running.delete(writing))
    this.#running.add(writing)
  }

  /** For what writes it as well: so it is not due again for a minute. */
  mark(signInId: string, now = this.#parts.clock()): void {
    keepNewest(this.#written, signInId, now, this.#max)
  }

  /** Resolves when no write is under way any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  #isDue(signInId: string, now: number): boolean {
    const written = this.#written.get(signInId)
    if (written !== undefined) return isPast(written, now)
    if (this.#written.size < this.#max) return true
    // With more sign-ins in a minute than are remembered, forgetting one that was just written would have it
    // written with every request. Rather this one is not written now.
    const [oldest] = this.#written.values()
    return oldest !== undefined && isPast(oldest, now)
  }

  async #write(accountId: string, signInId: string, now: number): Promise<void> {
    const { store, log } = this.#parts
    try {
      await store.touchSignIn(accountId, signInId, now, SAME_LIMIT)
    } catch (error) {
      log.warn({ err: error }, 'when a sign-in was seen last could not be written')
    }
  }
}
