import type { Claims } from '../contract.js'

/*
 * Values from an engine are checked before they are used. By hand: a schema compiler would be the largest module that a
 * store loads.
 */

/** @throws TypeError unless it is a string */
export function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('A stored text is no text')
  return value
}

/** The text whose UTF-8 was stored. @throws TypeError unless it is bytes */
export function textOfBytes(value: unknown): string {
  if (!Buffer.isBuffer(value)) throw new TypeError('A stored text is no bytes')
  return value.toString()
}

/** @throws TypeError unless it is a finite number */
export function number(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new TypeError('A stored number is no number')
  return value
}

/** @throws TypeError unless it is a whole number from 0 to 2^53 - 1 */
export function whole(value: unknown): number {
  if (!Number.isSafeInteger(value) || number(value) < 0)
    throw new TypeError('A stored number is no whole number')
  return number(value)
}

/** @throws TypeError */
export function textOrNull(value: unknown): string | null {
  return value === null ? null : text(value)
}

/** @throws TypeError */
export function numberOrNull(value: unknown): number | null {
  return value === null ? null : number(value)
}

/** A list of unchecked values. @throws TypeError */
export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('A stored list is no list')
  return value
}

function isClaims(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Claims out of parsed JSON. @throws TypeError */
export function claimsOrNull(value: unknown): Claims | null {
  if (value === null || isClaims(value)) return value
  throw new TypeError('Stored claims are no object')
}
