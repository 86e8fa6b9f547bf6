import { SessionDataInvalid } from '../errors.js'
import { faultyField } from './json-fault.js'

/** Session data as JSON texts by top-level key. Comparing two shows what a request changed. */
export type Snapshot = ReadonlyMap<string, string>

/** A request's changes: the new JSON text of each key that it set, null for each that it deleted. */
export type Changes = ReadonlyMap<string, string | null>

/** @throws SESSION_DATA_INVALID for values that do not survive JSON unchanged */
export function checkData(data: object): void {
  const faulty = faultyField(data)
  if (faulty) throw new SessionDataInvalid(...faulty)
}

/** A snapshot of the object's own keys. An undefined value counts as absent. */
export function snapshotOf(data: object): Snapshot {
  const snapshot = new Map<string, string>()
  for (const [key, value] of Object.entries(data)) {
    const text: string | undefined = JSON.stringify(value)
    if (text !== undefined) snapshot.set(key, text)
  }
  return snapshot
}

/** A deep copy of the data. */
export function dataOf(snapshot: Snapshot): Record<string, unknown> {
  // fromEntries defines properties: a key `__proto__` stays a key.
  return Object.fromEntries([...snapshot].map(([key, text]) => [key, JSON.parse(text)]))
}

export function changesBetween(before: Snapshot, after: Snapshot): Changes {
  const changes = new Map<string, string | null>()
  for (const [key, text] of after) if (before.get(key) !== text) changes.set(key, text)
  for (const key of before.keys()) if (!after.has(key)) changes.set(key, null)
  return changes
}

/** Applies the changes to data that others may have changed meanwhile. If two write one key, the last one wins. */
export function applyChanges(data: object, changes: Changes): Record<string, unknown> {
  const merged = new Map<string, unknown>(Object.entries(data))
  for (const [key, text] of changes) {
    if (text === null) merged.delete(key)
    else merged.set(key, JSON.parse(text))
  }
  return Object.fromEntries(merged)
}
