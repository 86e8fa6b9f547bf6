import { createAccounts } from '../accounts/accounts.js'
import type { Accounts, RaisedAccount } from '../accounts/contract.js'
import { createEpochLedger, type EpochLedger } from '../accounts/epoch-ledger.js'
import { passwords } from '../accounts/passwords.js'
import { createAudit } from '../audit.js'
import type { Environment } from '../config/config.js'
import { databaseUrl, redisUrl, text } from '../config/values.js'
import { type AccountsDatabase, databaseFile, openDatabase } from '../database/embedded.js'
import { fileFault } from '../database/faults.js'
import { openPostgres } from '../database/postgres/database.js'
import { StoreUnavailable } from '../errors.js'
import { endBelowEpoch, LONGEST_TTL } from '../sign-ins/epoch.js'
import { Refusal, type Terminal } from './command.js'
import { openState, type StatePlace } from './open-state.js'

/** Where the accounts are. */
interface AccountsPlace {
  open(): Promise<AccountsDatabase>
  /** Here the reader owns the machine, so the cause of a fault is said. */
  explain(cause: unknown): Error
}

/** As the server reads it: white space around it is no part of it. */
const dataDirOf = (env: Environment) => text(env, 'DATA_DIR', './data')

/**
 * The database of the server in the same environment.
 * @throws CONFIG_INVALID when `DATABASE_URL` is malformed
 */
function accountsPlace({ env }: Terminal): AccountsPlace {
  const url = databaseUrl(env)
  if (url !== null) {
    const explain = (cause: unknown) => new Refusal(`DATABASE_URL: the database cannot be used (${cause}).`)
    return { open: () => openPostgres({ databaseUrl: url }), explain }
  }
  const file = databaseFile(dataDirOf(env))
  return { open: () => openDatabase(file), explain: (cause) => fileFault(file, cause) }
}

/** Where the server of the same environment keeps its sign-ins. @throws CONFIG_INVALID */
export function statePlace({ env }: Terminal): StatePlace {
  return { redisUrl: redisUrl(env), dataDir: dataDirOf(env) }
}

/**
 * Ends the sign-ins of an account whose epoch was raised, as the server does. Where that fails the change is
 * stored all the same, and the server ends them as soon as it can.
 */
async function endSignIns(place: StatePlace, ledger: EpochLedger, raised: RaisedAccount): Promise<void> {
  const store = await openState(place)
  if (!store) return
  try {
    const parts = { store, audit: createAudit({ clock: Date.now }), longestTtl: LONGEST_TTL, now: Date.now() }
    await endBelowEpoch(parts, raised.account, raised.spare)
    await ledger.settle(raised)
  } catch (error) {
    const reason = error instanceof StoreUnavailable ? error.cause : error
    throw new Refusal(`That is stored, but the sign-ins live on until the server can end them (${reason}).`)
  } finally {
    await store.close()
  }
}

/**
 * Runs work on the accounts there, and closes what it opened. The server may run meanwhile: the directory is not
 * claimed. What ends the sign-ins of an account has ended them before the work goes on.
 * @throws Refusal, CONFIG_INVALID, DEPENDENCY_MISSING, and what the work throws
 */
export async function withAccounts<T>(
  terminal: Terminal,
  work: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  const [place, state] = [accountsPlace(terminal), statePlace(terminal)]
  try {
    const { kysely: db, probe, close } = await place.open()
    const ledger = createEpochLedger(db)
    const onRaised = (raised: RaisedAccount) => endSignIns(state, ledger, raised)
    const accounts = createAccounts({ db, probe, passwords, clock: Date.now, onRaised })
    return await work(accounts).finally(close)
  } catch (error) {
    throw error instanceof StoreUnavailable ? place.explain(error.cause) : error
  }
}
