/** Errors that occurred after a change was stored: the state store could not be told. */
const afterwards = new WeakSet<object>()

/** Marks the error, so that its catcher knows that the change is stored. @returns the error */
export function markStored(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) afterwards.add(error)
  return error
}

/**
 * Whether the change that failed with this error is stored all the same. The sign-ins that it ends then live on until
 * the state store has been told.
 */
export function isStored(error: unknown): boolean {
  return typeof error === 'object' && error !== null && afterwards.has(error)
}

/** Calls `tell` once the change is stored, even if it fails after that, so that the audit knows who made it. */
export async function tellOnceStored<T>(change: Promise<T | null>, tell: () => void): Promise<T | null> {
  const changed = await change.catch((error: unknown) => {
    if (isStored(error)) tell()
    throw error
  })
  if (changed !== null) tell()
  return changed
}
