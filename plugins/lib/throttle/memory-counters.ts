import type { Clock } from '../contract.js'
import type { Counters } from './counters.js'

interface Entry {
  readonly value: number
  /** In ms. */
  readonly until: number
}

/** Some 15 MB when full. */
export const MEMORY_MAX = 100_000
/** How many of the oldest are looked at for each new one: twice what comes is more than stays. */
const LOOKED_AT = 2

/**
 * Counters in this process. The library's own memory has no bound and a timer for each key; this one drops the
 * oldest above `max`. What a flood of made-up names gains by that is small: only failed attempts stay, each has
 * cost a hash, and a hundred thousand of them buy one more round against one account.
 */
export class MemoryCounters implements Counters {
  readonly #entries = new Map<string, Entry>()

  constructor(
    private readonly clock: Clock,
    private readonly max = MEMORY_MAX,
  ) {}

  get size(): number {
    return this.#entries.size
  }

  async add(name: string, points: 1 | -1, keep: number): Promise<number> {
    const found = this.#find(name)
    const value = (found?.value ?? 0) + points
    if (value <= 0) this.#entries.delete(name)
    // In its old place: what is counted on is no younger for that.
    else if (found) this.#entries.set(name, { value, until: found.until })
    else this.#put(name, value, keep)
    return value
  }

  async read(name: string): Promise<number> {
    return this.#find(name)?.value ?? 0
  }

  async write(name: string, value: number, keep: number): Promise<void> {
    this.#put(name, value, keep)
  }

  #find(name: string): Entry | undefined {
    const entry = this.#entries.get(name)
    return entry && this.clock() < entry.until ? entry : undefined
  }

  #put(name: string, value: number, keep: number): void {
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
