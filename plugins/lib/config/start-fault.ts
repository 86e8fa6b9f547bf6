import { databaseFile } from '../database/data-dir.js'
import { fileFault } from '../database/faults.js'
import { ConfigInvalid, DependencyMissing, StoreUnavailable } from '../errors.js'

/**
 * Why a start fails: CONFIG_INVALID for a store that opened and fails at the first look, damaged inside or gone since; else
 * the error itself.
 */
export function startFault(
  error: unknown,
  { dataDir, databaseUrl }: { readonly dataDir: string; readonly databaseUrl: string | null },
): unknown {
  if (!(error instanceof StoreUnavailable)) return error
  if (databaseUrl === null) return fileFault(databaseFile(dataDir), error.cause)
  return new ConfigInvalid(`DATABASE_URL: the database cannot be used (${error.cause}).`, { cause: error })
}

/** Whether its message says what to do, and no stack says more. */
export function isOneSentence(error: unknown): error is Error {
  return error instanceof ConfigInvalid || error instanceof DependencyMissing
}
