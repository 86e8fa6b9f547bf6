import type { RateLimiterAbstract } from 'rate-limiter-flexible'

/**
 * Whole numbers under names. `add` is atomic between all who share the store. Times to keep are in seconds of the
 * store's own clock, and only collect the garbage: no limit leans on them. Every method rejects on a fault.
 */
export interface Counters {
  /** Adds 1 or takes 1 away, and answers what is there then. A counter of 0 or less need not be kept. */
  add(name: string, points: 1 | -1, keep: number): Promise<number>
  /** 0 where there is none. */
  read(name: string): Promise<number>
  write(name: string, value: number, keep: number): Promise<void>
}

/** A text that somebody else put under the name would compare as less than every limit. */
export function checked(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error('the store holds no whole number there')
  return value
}

/**
 * Over a limiter of rate-limiter-flexible, whose adapters bring the atomic step. Its own windows, blocks and
 * points are not used: they run by the clocks of the stores, and know no growing delay.
 */
export function limiterCounters(limiter: RateLimiterAbstract): Counters {
  return {
    async add(name, points, keep) {
      const change = points === 1 ? limiter.penalty : limiter.reward
      const { consumedPoints } = await change.call(limiter, name, 1, { customDuration: keep })
      return checked(consumedPoints)
    },
    async read(name) {
      const found = await limiter.get(name)
      return found === null ? 0 : checked(found.consumedPoints)
    },
    async write(name, value, keep) {
      await limiter.set(name, value, keep)
    },
  }
}
