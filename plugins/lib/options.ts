import type { Clock } from './contract.js'
import { OptionInvalid } from './errors.js'

/** Ten years: more is a mistake in units. */
export const SECONDS_MAX = 10 * 366 * 24 * 3600

/**
 * A duration in whole seconds. 0 and NaN must not pass: a lifetime of 0 has made keys immortal elsewhere.
 * @throws OPTION_INVALID
 */
export function checkSeconds(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > SECONDS_MAX) {
    throw new OptionInvalid(name, `wants whole seconds from 1 to ${SECONDS_MAX}`)
  }
  return value
}

/** @throws OPTION_INVALID */
export function checkClock(clock: Clock): Clock {
  if (typeof clock !== 'function') throw new OptionInvalid('clock', 'wants a function')
  return clock
}
