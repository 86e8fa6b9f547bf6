import type { FastifyBaseLogger } from 'fastify'
import type { RaisedAccount } from './contract.js'
import type { EpochLedger } from './epoch-ledger.js'

/** In ms. */
export interface RetryTimes {
  /** The delay after the first failure. Each further failure doubles it. */
  readonly first: number
  readonly longest: number
  /** How often the ledger is read while all is well, for epochs of a process that crashed before it told the store. */
  readonly look: number
}

export interface DistributorParts {
  readonly ledger: EpochLedger
  /** Tells the state store. */
  readonly raise: (raised: RaisedAccount) => Promise<unknown>
  readonly log: Pick<FastifyBaseLogger, 'warn'>
  readonly times?: RetryTimes
}

const TIMES: RetryTimes = { first: 100, longest: 5000, look: 30_000 }
const BATCH = 100

/**
 * Tells the state store of every raised epoch, and retries until it knows. Any number of processes may do so at once:
 * telling twice does no harm, and the highest epoch wins.
 */
export class EpochDistributor {
  readonly #parts: DistributorParts
  readonly #times: RetryTimes
  #delay: number
  /** The time until the next look while all is well, in ms. */
  #calm: number
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(parts: DistributorParts) {
    this.#parts = parts
    this.#times = parts.times ?? TIMES
    this.#delay = this.#times.first
    this.#calm = this.#times.look
  }

  /** Tells of epochs that an earlier process left behind, and keeps looking. Never rejects. */
  async start(): Promise<void> {
    this.#look()
    await this.#looking
  }

  /** Tells of one epoch, and retries later if that fails. @throws the store's error */
  async distribute(raised: RaisedAccount): Promise<void> {
    try {
      await this.#parts.raise(raised)
    } catch (error) {
      this.#lookIn(this.#times.first)
      throw error
    }
    // The store knows the epoch. If the ledger cannot note that, the epoch is reported once more later.
    await this.#parts.ledger.settle(raised).catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'a distributed epoch could not be noted')
    })
  }

  /** Looks soon, and more often for a while: the database may have stored a change that it did not confirm. */
  doubt(): void {
    this.#calm = this.#times.first
    this.#lookIn(this.#calm)
  }

  /** Resolves when no work is running. Epochs still to be told stay in the ledger. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  #lookIn(delay: number): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), delay).unref()
  }

  #look(): void {
    this.#looking = this.#looking.then(async () => this.#lookIn(await this.#work()))
  }

  /** @returns when to look again, in ms */
  async #work(): Promise<number> {
    const { first, longest, look } = this.#times
    try {
      const more = (await this.#tellBatch()) === BATCH
      this.#delay = first
      if (more) return 0
      const calm = this.#calm
      this.#calm = Math.min(calm * 2, look)
      return calm
    } catch (error) {
      const delay = this.#delay
      this.#delay = Math.min(delay * 2, longest)
      this.#parts.log.warn({ err: error, delay }, 'a raised epoch could not be distributed yet')
      return delay
    }
  }

  async #tellBatch(): Promise<number> {
    const { ledger, raise } = this.#parts
    const pending = await ledger.pending(BATCH)
    for (const raised of pending) {
      await raise(raised)
      await ledger.settle(raised)
    }
    return pending.length
  }
}
