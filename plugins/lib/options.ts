import type { AccountId, Clock } from './contract.js'
import { OptionInvalid } from './errors.js'

/** The options of a `register` call that Fastify itself reads. */
const REGISTER_OPTIONS: readonly string[] = ['prefix', 'logLevel', 'logSerializers']

/** An object with exactly the names of a type's options, checked by the compiler. An object of defaults will do. */
export type Known<Options> = { readonly [Name in keyof Options]-?: unknown }

/**
 * Refuses misspelt options, which would silently leave the default in force.
 * @param others further allowed names
 * @throws OPTION_INVALID naming the option
 */
export function refuseUnknown<Options extends object>(
  options: Options,
  known: Known<Options>,
  others = REGISTER_OPTIONS,
): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name) && !others.includes(name)) {
      throw new OptionInvalid(name, `is unknown: there are ${Object.keys(known).join(', ')}`)
    }
  }
}

/** Ten years: more is a mistake in units. */
export const SECONDS_MAX = 10 * 366 * 24 * 3600

/** A whole number from `least` to `most`. Refuses NaN and text. @throws OPTION_INVALID */
export function checkWhole(
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
  unit = 'a whole number',
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`
  throw new OptionInvalid(name, `wants ${unit}${range}`)
}

/** A duration in whole seconds. By default not 0, which makes keys immortal in some stores. @throws OPTION_INVALID */
export function checkSeconds(name: string, value: number, least = 1, most = SECONDS_MAX): number {
  return checkWhole(name, value, least, most, 'whole seconds')
}

/** @throws OPTION_INVALID */
export function checkClock(clock: Clock): Clock {
  if (typeof clock !== 'function') throw new OptionInvalid('clock', 'wants a function')
  // Stores keep whole milliseconds. The system's clock has them already, and is read with every request.
  return clock === Date.now ? clock : () => Math.floor(clock())
}

/**
 * An account's id as text. A fraction, or a number beyond 2^53, could stand for several accounts.
 * @throws OPTION_INVALID
 */
export function accountIdText(id: AccountId): string {
  if (typeof id !== 'number') return id
  return String(checkWhole('accountId', id, Number.MIN_SAFE_INTEGER))
}
