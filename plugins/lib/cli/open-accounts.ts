import type { Kysely } from 'kysely'
import { createAccounts } from '../accounts/accounts.js'
import type { Accounts, RaisedAccount } from '../accounts/contract.js'
import { createEpochLedger, type EpochLedger } from '../accounts/epoch-ledger.js'
import { passwords } from '../accounts/passwords.js'
import { createAudit } from '../audit.js'
import { databaseUrl, redisUrl, text } from '../config/values.js'
import type { AccountsDatabase } from '../database/accounts-database.js'
import { databaseFile, openDatabase } from '../database/embedded.js'
import { fileFault } from '../database/faults.js'
import { openPostgres } from '../database/postgres/database.js'
import type { Tables } from '../database/tables.js'
import { StoreUnavailable } from '../errors.js'
import { endBelowEpoch, LONGEST_TTL } from '../sign-ins/epoch.js'
import { CommandFailed, type Terminal } from './command.js'
import { openState, type StatePlace } from './open-state.js'

export const audit = createAudit({ clock: Date.now })

/** The actor of a change, in the audit. */
export const BY_COMMAND_LINE = { by: 'command_line', actorId: null } as const

interface AccountsPlace {
  open(): Promise<AccountsDatabase>
  /** The user of the command line owns the machine, so the message names the cause. */
  explain(cause: unknown): Error
}

/** The server's database. @throws CONFIG_INVALID if `DATABASE_URL` is malformed */
function accountsPlace({ env }: Terminal, dataDir: string): AccountsPlace {
  const url = databaseUrl(env)
  if (url !== null) {
    const explain = (cause: unknown) =>
      new CommandFailed(`DATABASE_URL: the database cannot be used (${cause}).`)
    return { open: () => openPostgres({ databaseUrl: url }), explain }
  }
  const file = databaseFile(dataDir)
  return { open: () => openDatabase(file), explain: (cause) => fileFault(file, cause) }
}

/**
 * Ends the sign-ins of an account whose epoch was raised, as the server does. If that fails, the change stays stored,
 * and the server ends them as soon as it can.
 */
async function endSignIns(place: StatePlace, ledger: EpochLedger, raised: RaisedAccount): Promise<void> {
  const store = await openState(place)
  if (!store) return
  try {
    const parts = { store, audit, longestTtl: LONGEST_TTL, now: Date.now() }
    await endBelowEpoch(parts, raised.account, raised.spare)
    await ledger.settle(raised)
  } catch (error) {
    const reason = error instanceof StoreUnavailable ? error.cause : error
    throw new CommandFailed(
      `The change is stored, but the sign-ins live on until the server can end them (${reason}).`,
    )
  } finally {
    await store.close()
  }
}

/**
 * Runs work on the accounts, and closes the database after it. The directory is not claimed, so the server may run at
 * the same time. A change that ends sign-ins resolves after they are ended.
 * @throws CommandFailed, CONFIG_INVALID, DEPENDENCY_MISSING, and what the work throws
 */
export async function withAccounts<T>(
  terminal: Terminal,
  work: (accounts: Accounts, db: Kysely<Tables>) => Promise<T>,
): Promise<T> {
  const { env } = terminal
  const dataDir = text(env, 'DATA_DIR', './data')
  const place = accountsPlace(terminal, dataDir)
  const state = { redisUrl: redisUrl(env), dataDir }
  try {
    const { kysely: db, probe, close } = await place.open()
    const ledger = createEpochLedger(db)
    const onRaised = (raised: RaisedAccount) => endSignIns(state, ledger, raised)
    const accounts = createAccounts({ db, probe, passwords, clock: Date.now, onRaised })
    return await work(accounts, db).finally(close)
  } catch (error) {
    throw error instanceof StoreUnavailable ? place.explain(error.cause) : error
  }
}
