import { StoreUnavailable } from '../errors.js'

/** Hides the database's error from the client: it travels to the log as `cause`. */
export async function guarded<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
}

/** The first row, or null. @throws STORE_UNAVAILABLE */
export async function first<T>(query: { executeTakeFirst(): Promise<T | undefined> }): Promise<T | null> {
  return (await guarded(() => query.executeTakeFirst())) ?? null
}
