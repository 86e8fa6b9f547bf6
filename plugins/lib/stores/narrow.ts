import type { Claims } from '../contract.js'
import { isObject } from '../shape.js'

/*
 * Checks of values from an engine. Each throws TypeError for a value of another type. By hand: a schema compiler would be
 * the largest module that a store loads.
 */

export function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('A stored text is no text')
  return value
}

/** The text whose UTF-8 was stored. */
export function textOfBytes(value: unknown): string {
  if (!Buffer.isBuffer(value)) throw new TypeError('A stored text is no bytes')
  return value.toString()
}

/** Finite. */
export function number(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new TypeError('A stored number is no number')
  return value
}

/** From 0 to 2^53 - 1. */
export function whole(value: unknown): number {
  if (!Number.isSafeInteger(value) || number(value) < 0)
    throw new TypeError('A stored number is no whole number')
  return number(value)
}

export function textOrNull(value: unknown): string | null {
  return value === null ? null : text(value)
}

export function numberOrNull(value: unknown): number | null {
  return value === null ? null : number(value)
}

/** A list of unchecked values. */
export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('A stored list is no list')
  return value
}

const isClaims = (value: unknown): value is Claims => isObject(value)

/** Claims in parsed JSON. */
export function claimsOrNull(value: unknown): Claims | null {
  if (value === null || isClaims(value)) return value
  throw new TypeError('Stored claims are no object')
}
