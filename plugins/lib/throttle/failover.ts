import type { FastifyBaseLogger } from 'fastify'
import type { Steps } from './steps.js'

/** How long the store is left alone after a fault, in ms, before an attempt asks it again. */
const RETRY_AFTER = 1000

interface Parts {
  /** Null: there is none but the process's own. */
  readonly shared: Steps | null
  readonly local: Steps
  readonly log: Pick<FastifyBaseLogger, 'warn' | 'info' | 'debug'>
  /** Tells how much time has passed, in ms. */
  readonly elapsed?: () => number
}

/**
 * The store's counters, and this process's own while the store fails: with them an instance counts what it sees by
 * itself, from nothing, so that the limits hold for each instance and never for none. They are kept when the store
 * is back: one that comes and goes brings no new attempts with each time.
 */
export class FailoverSteps {
  readonly #parts: Parts
  readonly #elapsed: () => number
  #isLost = false
  #askAgain = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.#elapsed = parts.elapsed ?? (() => performance.now())
  }

  /** Works with the store's counters, or where they fail, anew with the local ones. */
  async use<T>(work: (steps: Steps) => Promise<T>): Promise<T> {
    const { shared, local } = this.#parts
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

  /** The driver hangs the command and its arguments on its errors: the text alone goes to the log. */
  noteFault(error: unknown): void {
    this.#askAgain = this.#elapsed() + RETRY_AFTER
    const err = new Error(String(error))
    if (!this.#isLost) this.#parts.log.warn({ err }, 'Sign-ins are throttled by this process alone.')
    else this.#parts.log.debug({ err }, 'The store of the throttle still fails.')
    this.#isLost = true
  }

  #noteFound(): void {
    if (this.#isLost) this.#parts.log.info('Sign-ins are throttled by what all processes count.')
    this.#isLost = false
  }

  /** One attempt at a time tries a store that was lost; the others do not wait for it. */
  #mayAsk(): boolean {
    if (!this.#isLost) return true
    const now = this.#elapsed()
    if (now < this.#askAgain) return false
    this.#askAgain = now + RETRY_AFTER
    return true
  }
}
