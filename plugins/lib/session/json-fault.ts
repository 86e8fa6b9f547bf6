import { isPlain } from '../credentials/sensitive-claims.js'

/** Deeper recursion could exhaust the stack. */
const NESTED_MAX = 1000

const TOO_DEEP = 'it is nested too deep, or in itself'

function notJson(what: string): string {
  return `it is not JSON: it is, or holds, ${what}`
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

function faultOfObject(value: object, depth: number): string | null {
  if (depth > NESTED_MAX) return TOO_DEEP
  if (hasToJson(value)) {
    // JSON turns an invalid Date into null.
    const written = value.toJSON() ?? Number.NaN
    return typeof written === 'object' && written === value ? null : faultOf(written, depth + 1)
  }
  const isList = Array.isArray(value)
  if (!isList && !isPlain(value)) return notJson(`an instance of ${value.constructor?.name}`)
  // Array.from also visits holes, which JSON turns into null.
  for (const inner of isList ? Array.from<unknown>(value) : Object.values(value)) {
    // An undefined field counts as absent. JSON turns an undefined item into null.
    const fault = inner === undefined && !isList ? null : faultOf(inner, depth + 1)
    if (fault !== null) return fault
  }
  return null
}

function faultOf(value: unknown, depth: number): string | null {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return null
    case 'number':
      return Number.isFinite(value) ? null : notJson(String(value))
    case 'object':
      return value === null ? null : faultOfObject(value, depth)
    default:
      return notJson(typeof value)
  }
}

/** The first field that does not survive JSON unchanged, with the reason. An undefined field counts as absent. */
export function faultyField(data: object): readonly [name: string, fault: string] | null {
  for (const [name, value] of Object.entries(data)) {
    const fault = value === undefined ? null : jsonFault(value)
    if (fault !== null) return [name, fault]
  }
  return null
}

/**
 * Why a value does not survive JSON unchanged, or null. JSON silently loses the content of a Map, a Set or an Error,
 * and the class of every instance. It turns NaN into null. A value with a `toJSON`, such as a Date, decides for itself.
 */
export function jsonFault(value: unknown): string | null {
  return faultOf(value, 0)
}

function childrenOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : []
}

/** Whether parsed session content holds data that is nested deeper than `jsonFault` allows. */
export function isNestedTooDeep(content: object): boolean {
  let level: unknown[] = [content]
  for (let depth = 0; depth <= NESTED_MAX + 3; depth++) {
    level = level.flatMap(childrenOf)
    if (level.length === 0) return false
  }
  return true
}
