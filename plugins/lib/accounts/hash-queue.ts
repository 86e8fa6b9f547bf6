import { Busy } from '../errors.js'

/**
 * How many may wait for each hash that runs. A hash takes about 10 ms, so an admitted caller waits for a fraction of a
 * second. Without a bound, one connection that pipelines logins would delay everybody's logins for minutes.
 */
const WAITING_FOR_EACH = 16

/** Runs at most `max` works at once. Some wait in order of arrival; the rest are shed. */
export class HashQueue {
  readonly #waiting: (() => void)[] = []
  readonly #listeners = new Set<(took: number) => void>()
  #running = 0
  #shed = 0

  constructor(private readonly max: number) {}

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether work is shed now. Each true answer counts as shed. */
  sheds(): boolean {
    const isFull = this.#waiting.length >= this.max * WAITING_FOR_EACH
    if (isFull) this.#shed += 1
    return isFull
  }

  /** How many were shed since the process started. */
  get shed(): number {
    return this.#shed
  }

  /**
   * Reports how long (ms) each work took, including its wait, when it has ended.
   * @returns unsubscribes
   */
  onDone(listener: (took: number) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** @throws BUSY */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const since = performance.now()
    await this.#enter()
    try {
      return await work()
    } finally {
      this.#leave()
      for (const listener of this.#listeners) listener(performance.now() - since)
    }
  }

  #enter(): Promise<void> | undefined {
    if (this.sheds()) throw new Busy()
    if (this.#running >= this.max) return new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running += 1
    return undefined
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#running -= 1
  }
}
