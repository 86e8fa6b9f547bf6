import type { Clock } from './contract.js'
import { OptionInvalid } from './errors.js'

/** What Fastify itself takes of the options of a `register` call. */
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']

/**
 * The names of a plugin's options. They follow from their type: where one is missing here, or is here alone, nothing
 * compiles.
 */
export type Known<Options> = { readonly [Name in keyof Options]-?: true }

/**
 * A misspelt option would leave its default in force without a word.
 * @throws OPTION_INVALID naming it
 */
export function refuseUnknown<Options extends object>(options: Options, known: Known<Options>): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name) && !REGISTER_OPTIONS.includes(name)) {
      throw new OptionInvalid(name, `is unknown: there are ${Object.keys(known).join(', ')}`)
    }
  }
}

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
  // Whole milliseconds, as stores keep times. The system's are whole already, and are read with every request.
  return clock === Date.now ? clock : () => Math.floor(clock())
}
