import type { FastifyBaseLogger } from 'fastify'
import type { Steps } from './steps.js'

/** The time after a fault during which the store is not asked, in ms. */
const RETRY_AFTER = 1000

interface Parts {
  /** Null: only this process's counters are used. */
  readonly shared: Steps | null
  readonly local: Steps
  readonly log: Pick<FastifyBaseLogger, 'warn' | 'info' | 'debug'>
  /** Monotonic time, in ms. */
  readonly elapsed?: () => number
}

/**
 * Uses the store's counters, and this process's own while the store fails. Each instance then counts from zero what
 * it sees itself, so the limits still hold for each instance. The local counters stay when the store is back: a
 * store that comes and goes must not give new attempts each time.
 */
export class FailoverSteps {
  #isLost = false
  #askAgain = 0

  constructor(private readonly parts: Parts) {}

  /** Runs the work with the store's counters; if they fail, again with the local ones. */
  async use<T>(work: (steps: Steps) => Promise<T>): Promise<T> {
    const { shared, local } = this.parts
    if (shared === null || !this.#mayAsk()) return work(local)
    try {
      const result = await work(shared)
      this.#noteFound()
      return result
    } catch (error) {
      this.noteFault(error)
      return work(local)
    }
  }

  /** Logs the text alone: the driver's errors carry the command and its arguments. */
  noteFault(error: unknown): void {
    this.#askAgain = this.#elapsed() + RETRY_AFTER
    const err = new Error(String(error))
    if (!this.#isLost) this.parts.log.warn({ err }, 'Sign-ins are throttled by this process alone.')
    else this.parts.log.debug({ err }, 'The store of the throttle still fails.')
    this.#isLost = true
  }

  #elapsed(): number {
    return this.parts.elapsed?.() ?? performance.now()
  }

  #noteFound(): void {
    if (this.#isLost) this.parts.log.info('Sign-ins are throttled by what all processes count.')
    this.#isLost = false
  }

  /** One attempt at a time asks a lost store; the others do not wait for it. */
  #mayAsk(): boolean {
    if (!this.#isLost) return true
    const now = this.#elapsed()
    if (now < this.#askAgain) return false
    this.#askAgain = now + RETRY_AFTER
    return true
  }
}
