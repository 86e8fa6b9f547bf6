import type { Environment } from './environment.js'

/** In milliseconds. */
const FIRST = 1000
const MOST = 60_000
/** A timer of more milliseconds rings at once. */
const LONGEST = 2 ** 31 - 1

/** The seconds of `Retry-After`, or 0. */
export const retryAfterOf = (response: Response | null | undefined): number =>
  Number(response?.headers.get('retry-after')) || 0

/** Counts failures, and says how long to leave the server alone. */
export interface Backoff {
  /** Milliseconds until the next try; at most 24.8 days, the longest that a timer can wait. */
  left(): number
  /**
   * Twice as long each time, with jitter.
   * @param response the failure. Its `Retry-After` is obeyed if it is longer
   */
  fail(response?: Response | null): void
  /** Call this when the network is back. A `Retry-After` of the server still holds. */
  excuse(): void
  reset(): void
}

export function createBackoff({ now, random }: Environment): Backoff {
  let failures = 0
  let until = 0
  let obliged = 0
  return {
    left: () => Math.min(until - now(), LONGEST),
    fail(response) {
      obliged = now() + retryAfterOf(response) * 1000
      until = Math.max(obliged, now() + Math.min(MOST, FIRST * 2 ** failures++) * (0.5 + random() / 2))
    },
    excuse() {
      until = obliged
    },
    reset() {
      failures = until = obliged = 0
    },
  }
}
