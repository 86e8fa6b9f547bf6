import type { FastifyBaseLogger } from 'fastify'
import type { AuditEvent } from '../audit.js'
import type { AccountEventRow } from '../database/tables.js'
import { eventRow } from './events.js'

export interface EventLogParts {
  /** Stores some events in one go. */
  readonly insert: (rows: readonly AccountEventRow[]) => Promise<void>
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

/** In ms. One write covers the events of this time. */
const PAUSE = 1000
const BATCH = 500
/** The largest number of waiting events, at about 300 bytes each. */
const MAX_WAITING = 10_000

const FAILED = 'audit events of accounts could not be written'
const DROPPED = 'audit events of accounts come faster than they can be written; some are lost'

/** Writes audit events of accounts to their database. No request waits for it, or fails with it. */
export class EventLog {
  #waiting: AccountEventRow[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #isFull = false

  constructor(private readonly parts: EventLogParts) {}

  /** Never throws, and never waits. */
  add(event: AuditEvent): void {
    const row = eventRow(event)
    if (row === null) return
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(row)
    else this.#drop()
    this.#timer ??= setTimeout(() => void this.flush(), PAUSE).unref()
  }

  /** Resolves when all events so far are written, or lost. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#writeAll())
    return this.#writing
  }

  #drop(): void {
    if (!this.#isFull) this.parts.log.warn(DROPPED)
    this.#isFull = true
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const rows = this.#waiting.splice(0, BATCH)
      this.#isFull = false
      // Not tried again: events would pile up while the database is down. The log has them all.
      await this.parts.insert(rows).catch((err: unknown) => this.parts.log.warn({ err }, FAILED))
    }
  }
}
