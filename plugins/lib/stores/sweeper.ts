import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../contract.js'
import type { StateStore } from './contract.js'

/** How often what has passed is collected, in ms. */
const SWEEP_INTERVAL = 60_000
/**
 * For how long a clock must have said so before anything is collected by it, in ms, at least; twice that at most. A clock
 * that jumps ahead, and back within that time, makes nobody forget who was signed out; a machine that was off for a month
 * collects on the same day.
 */
export const SETTLED_AFTER = 6 * 3_600_000

/**
 * The time that a clock has stood by: the earliest that it can be by anything that the clock has said lately, as if it had
 * gone on from there at its usual pace.
 */
export class SettledTime {
  readonly #monotonic: () => number
  /** The least that the clock was ahead of the monotonic one, in this half of the time and in the one before. */
  #young = Number.POSITIVE_INFINITY
  #old: number | null = null
  #turnedAt: number | null = null

  /** @param monotonic in ms */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /**
   * Takes note of what the clock says (ms).
   * @returns what can be relied on to have passed (ms), or null while the clock has not been watched for long enough
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
  /** null: what the clock says now will do. */
  readonly settled?: SettledTime | null
}

/**
 * Sweeps until it is stopped, by what the clock has said for hours. It keeps no process alive, and a fault waits for the
 * next time.
 * @returns what stops it
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
      log.warn({ err }, 'What has expired could not be collected; it is refused all the same.')
    }
  }
  return () => clearInterval(timer)
}
