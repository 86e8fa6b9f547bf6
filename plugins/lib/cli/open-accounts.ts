import { createAccounts } from '../accounts/accounts.js'
import type { Accounts } from '../accounts/contract.js'
import { databaseUrl } from '../config/values.js'
import { type AccountsDatabase, databaseFile, openDatabase } from '../database.js'
import { StoreUnavailable } from '../errors.js'
import { passwords } from '../passwords.js'
import { openPostgres } from '../postgres/database.js'
import { Refusal, type Terminal } from './command.js'

/** Where the accounts are: a file, or a variable that tells. */
export interface AccountsPlace {
  readonly name: string
  open(): Promise<AccountsDatabase>
}

/** Here the reader owns the machine, so the cause is said. */
function explain(error: unknown, { name }: AccountsPlace): unknown {
  if (!(error instanceof StoreUnavailable)) return error
  return new Refusal(`The database ${name} cannot be used (${error.cause}).`)
}

/**
 * The database of the server in the same environment.
 * @throws CONFIG_INVALID when `DATABASE_URL` is malformed
 */
export function accountsPlace({ env }: Terminal): AccountsPlace {
  const url = databaseUrl(env)
  if (url !== null) return { name: 'of DATABASE_URL', open: () => openPostgres({ databaseUrl: url }) }
  const file = databaseFile(env.DATA_DIR || './data')
  return { name: file, open: () => openDatabase(file) }
}

/**
 * Runs work on the accounts there, and closes what it opened. The server may run meanwhile: the directory is not
 * claimed.
 * @throws Refusal, CONFIG_INVALID, DEPENDENCY_MISSING, and what the work throws
 */
export async function withAccounts<T>(
  place: AccountsPlace,
  work: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  try {
    const database = await place.open()
    const accounts = createAccounts({ db: database.kysely, passwords, clock: Date.now })
    return await work(accounts).finally(() => database.close())
  } catch (error) {
    throw explain(error, place)
  }
}
