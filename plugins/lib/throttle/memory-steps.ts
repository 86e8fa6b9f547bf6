import type { Clock } from '../contract.js'
import { LocalSteps } from './steps.js'

interface Entry {
  readonly value: number
  /** In ms. */
  readonly until: number
}

/** About 15 MB when full. */
export const MEMORY_MAX = 100_000
/** Old entries checked for each new one. More than 1, so that expired ones leave faster than new ones come. */
const LOOKED_AT = 2

/**
 * Counters in this process. Above `max` the oldest is dropped. Flooding it with made-up names gains little: a hundred
 * thousand failed attempts, each with a hash, buy one more round against one account.
 */
export class MemorySteps extends LocalSteps {
  readonly #entries = new Map<string, Entry>()

  constructor(
    private readonly clock: Clock,
    private readonly max = MEMORY_MAX,
  ) {
    super()
  }

  get size(): number {
    return this.#entries.size
  }

  protected read(name: string): number {
    const entry = this.#entries.get(name)
    return entry && this.clock() < entry.until ? entry.value : 0
  }

  protected change(name: string, value: number): void {
    const entry = this.#entries.get(name)
    if (value === 0) this.#entries.delete(name)
    // The counter keeps its place, because another failure does not make it younger.
    else if (entry) this.#entries.set(name, { value, until: entry.until })
  }

  protected write(name: string, value: number, keep: number): void {
    this.#entries.delete(name)
    this.#dropOldest()
    this.#entries.set(name, { value, until: this.clock() + keep * 1000 })
  }

  #dropOldest(): void {
    const now = this.clock()
    let looked = 0
    for (const [name, { until }] of this.#entries) {
      if (looked === LOOKED_AT || (now < until && this.#entries.size < this.max)) return
      this.#entries.delete(name)
      looked += 1
    }
  }
}
