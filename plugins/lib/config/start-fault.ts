import { databaseFile } from '../database/data-dir.js'
import { fileFault } from '../database/faults.js'
import { ConfigInvalid, DependencyMissing, StoreUnavailable } from '../errors.js'

/** The reason of a failed start: CONFIG_INVALID if a store opened but failed at its first use, else the error itself. */
export function startFault(
  error: unknown,
  { dataDir, databaseUrl }: { readonly dataDir: string; readonly databaseUrl: string | null },
): unknown {
  if (!(error instanceof StoreUnavailable)) return error
  if (databaseUrl === null) return fileFault(databaseFile(dataDir), error.cause)
  return new ConfigInvalid(`DATABASE_URL: the database cannot be used (${error.cause}).`, { cause: error })
}

/** Whether the error's message says what to do, so that no stack is needed. */
export function isOneSentence(error: unknown): error is Error {
  return error instanceof ConfigInvalid || error instanceof DependencyMissing
}
