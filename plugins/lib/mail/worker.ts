import type { FastifyBaseLogger } from 'fastify'
import { withDeadline } from '../deadline.js'
import type { Deliver, MailMessage } from './contract.js'
import type { Claimed, Outbox } from './outbox.js'

/** In ms. */
export interface WorkerTimes {
  /** How often the outbox is read, for mails that are due again or that another process left behind. */
  readonly look: number
  /** The longest time of one delivery. It is shorter than a claim, so that a repeat begins only after it. */
  readonly delivery: number
}

export interface WorkerParts {
  readonly outbox: Outbox
  /** Makes a row's mails, with their tokens. Empty if nobody gets a mail. */
  readonly compose: (row: Claimed) => Promise<readonly MailMessage[]>
  readonly deliver: Deliver
  readonly log: Pick<FastifyBaseLogger, 'warn'>
  readonly times?: WorkerTimes
}

const TIMES: WorkerTimes = { look: 5000, delivery: 45_000 }
const AT_ONCE = 5

const isPermanent = (error: unknown) =>
  typeof error === 'object' && error !== null && 'permanent' in error && error.permanent === true

/**
 * Sends the mails of the outbox. Any number of processes may do so at once. A mail whose sender crashes is sent again by
 * another one: each is delivered at least once.
 */
export class OutboxWorker {
  readonly #times: WorkerTimes
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> = Promise.resolve()
  /** A reading of the outbox that has not begun yet. All requests until then share it. */
  #next: Promise<void> | undefined

  constructor(private readonly parts: WorkerParts) {
    this.#times = parts.times ?? TIMES
  }

  /** Looks for mails now, without waiting for them to be sent. */
  kick(): void {
    void this.flush()
  }

  /** Resolves when every mail that is due by now was tried once. Never rejects. */
  flush(): Promise<void> {
    this.#next ??= this.#working.then(() => {
      this.#next = undefined
      this.#working = this.#look()
      return this.#working
    })
    return this.#next
  }

  /** Stops. A mail that is being sent stays in the outbox, and is sent again by the next process. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    await this.flush()
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer)
    try {
      await this.#sendAll()
      const dropped = this.#isClosed ? 0 : await this.parts.outbox.sweep()
      if (dropped > 0) this.parts.log.warn({ dropped }, 'mails were not sent in time, and are dropped')
    } catch (err) {
      this.parts.log.warn({ err }, 'the outbox of mails cannot be read or written')
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => this.kick(), this.#times.look).unref()
  }

  async #sendAll(): Promise<void> {
    while (!this.#isClosed) {
      const rows = await this.parts.outbox.claim(AT_ONCE)
      if (rows.length === 0) return
      await Promise.all(rows.map((row) => this.#send(row)))
    }
  }

  async #send(row: Claimed): Promise<void> {
    const { outbox, log } = this.parts
    const { id, kind, attempts } = row
    try {
      if (await this.#deliver(row)) await outbox.sent(id)
      else await outbox.drop(id)
    } catch (err) {
      if (this.#isClosed) return
      log.warn({ err, mail: { id, kind, attempts } }, 'a mail could not be delivered')
      if (isPermanent(err)) await outbox.drop(id)
    }
  }

  /** @returns false if nobody is to get a mail */
  async #deliver(row: Claimed): Promise<boolean> {
    const messages = await this.parts.compose(row)
    await this.#inTime(async (signal) => {
      for (const message of messages) await this.parts.deliver(message, signal)
    })
    return messages.length > 0
  }

  /** Waits no longer than a delivery may take, even for work that ignores the signal. */
  async #inTime(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const late = new AbortController()
    const signal = AbortSignal.any([late.signal, this.#closing.signal])
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('The delivery was aborted.')), { once: true })
    })
    const given = work(signal)
    // One of them may reject after the other one has settled.
    for (const each of [given, aborted]) each.catch(() => {})
    await withDeadline(Promise.race([given, aborted]), this.#times.delivery, () => {
      late.abort()
      throw new Error('The delivery took too long.')
    })
  }
}
