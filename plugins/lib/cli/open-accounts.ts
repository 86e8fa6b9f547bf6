import { createAccounts } from '../accounts/accounts.js'
import type { Accounts } from '../accounts/contract.js'
import { databaseFile, openDatabase } from '../database.js'
import { StoreUnavailable } from '../errors.js'
import { passwords } from '../passwords.js'
import { Refusal, type Terminal } from './command.js'

/** Here the reader owns the machine, so the cause is said. */
function explain(error: unknown, file: string): unknown {
  if (!(error instanceof StoreUnavailable)) return error
  return new Refusal(`The database ${file} cannot be used (${error.cause}).`)
}

/**
 * The database of the server in the same environment.
 * @throws Refusal when that is not an embedded one
 */
export function accountsFile({ env }: Terminal): string {
  if (env.DATABASE_URL) throw new Refusal('DATABASE_URL is set, and PostgreSQL is not supported yet.')
  return databaseFile(env.DATA_DIR || './data')
}

/**
 * Runs work on the accounts of an embedded database, and closes it. The server may run meanwhile: the
 * directory is not claimed.
 * @throws Refusal, DEPENDENCY_MISSING, and what the work throws
 */
export async function withAccounts<T>(file: string, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  try {
    const database = await openDatabase(file)
    const accounts = createAccounts({ db: database.kysely, passwords, clock: Date.now })
    return await work(accounts).finally(() => database.close())
  } catch (error) {
    throw explain(error, file)
  }
}
