/** Faults that came after a change was stored: the state store could not be told. */
const afterwards = new WeakSet<object>()

/** Has whoever catches the error know that the change is stored. @returns the error */
export function markStored(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) afterwards.add(error)
  return error
}

/**
 * Whether a change of an account that failed with this error is stored all the same, and only what it ends lives on
 * until the state store has been told.
 */
export function isStored(error: unknown): boolean {
  return typeof error === 'object' && error !== null && afterwards.has(error)
}

/**
 * Tells of a change once, as soon as it is known to be stored: also where it fails after that, for who did it would be
 * lost else. Not where there was nothing to change (null).
 */
export async function tellOnceStored<T>(change: Promise<T | null>, tell: () => void): Promise<T | null> {
  const changed = await change.catch((error: unknown) => {
    if (isStored(error)) tell()
    throw error
  })
  if (changed !== null) tell()
  return changed
}
