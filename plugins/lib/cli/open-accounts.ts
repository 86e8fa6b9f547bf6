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
  /** The reader owns the machine here, so the message names the cause. */
  explain(cause: unknown): Error
}

/** Read as the server reads it, without surrounding white space. */
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
 * Ends the sign-ins of an account whose epoch was raised, as the server does. If that fails, the change stays stored,
 * and the server ends them as soon as it can.
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
 * Runs work on the accounts, and closes the database after it. The directory is not claimed, so the server may run at
 * the same time. A change that ends sign-ins resolves after they are ended.
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
