import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../contract.js'
import type { StateStore } from './contract.js'

/** How often expired entries are collected, in ms. */
const SWEEP_INTERVAL = 60_000
/**
 * How long a clock must be watched before a sweep follows it, in ms: between once and twice this time. If the clock
 * jumps ahead and comes back within that time, no revocation is lost. A machine that was off for a month sweeps on the
 * same day.
 */
export const SETTLED_AFTER = 6 * 3_600_000

/** A time that a clock has confirmed for hours: the earliest of the times that its recent readings imply. */
export class SettledTime {
  readonly #monotonic: () => number
  /** The smallest lead over the monotonic clock, in this half of the period and in the one before. */
  #young = Number.POSITIVE_INFINITY
  #old: number | null = null
  #turnedAt: number | null = null

  /** @param monotonic in ms */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /**
   * Takes note of the clock's reading (ms).
   * @returns a time that has surely passed (ms), or null while the clock has not been watched for long enough
   */
  note(now: number): number | null {
    const at = this.#monotonic()
    this.#turnedAt ??= at
    if (at - this.#turnedAt >= SETTLED_AFTER) {
      this.#old = this.#young
      this.#young = Number.POSITIVE_INFINITY
      this.#turnedAt = at
    }
    this.#young = Math.min(this.#young, now - at)
    return this.#old === null ? null : at + Math.min(this.#old, this.#young)
  }
}

export interface SweeperOptions {
  /** In ms. */
  readonly interval?: number | undefined
  /** Null: the clock's reading is used as it is. */
  readonly settled?: SettledTime | null
}

/**
 * Sweeps until it is stopped, by a time that the clock has confirmed for hours. Keeps no process alive. After a fault, it
 * tries again at the next interval.
 * @returns a function that stops it
 */
export function sweepRegularly(
  store: Pick<StateStore, 'sweep'>,
  clock: Clock,
  log: Pick<FastifyBaseLogger, 'warn'>,
  { interval = SWEEP_INTERVAL, settled = new SettledTime() }: SweeperOptions = {},
): () => void {
  settled?.note(clock())
  const timer = setInterval(sweep, interval).unref()
  async function sweep() {
    const passed = settled ? settled.note(clock()) : clock()
    if (passed === null) return
    try {
      await store.sweep(passed)
    } catch (err) {
      log.warn({ err }, 'Expired entries could not be collected. They are refused all the same.')
    }
  }
  return () => clearInterval(timer)
}
