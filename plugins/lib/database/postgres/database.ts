import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Dialect, Kysely, PostgresPool } from 'kysely'
import { guarded } from '../../accounts/queries.js'
import { connectionLog } from '../../connection-log.js'
import { ConfigInvalid, DependencyMissing, OptionInvalid, StoreUnavailable } from '../../errors.js'
import { loadOptional } from '../../optional.js'
import type { AccountsDatabase, Tables } from '../embedded.js'
import { NewerSchema } from '../faults.js'
import { type PostgresAddress, readPostgresUrl, URL_WANTED } from './address.js'
import { isAway } from './faults.js'
import { migrate } from './migrate.js'
import { type CheckedPostgres, checkPostgres, type PostgresOptions } from './options.js'
import { openPool, type PoolLimits, type PoolLog } from './pool.js'

/** How long a start waits for another one that migrates, and how long a migration's statement may run. In ms. */
const MIGRATION_TIMEOUT = 60_000
/** After how long one that was frozen in the middle of it is given up. In ms. */
const SILENCE = 15_000
const RETRY_DELAY = 100

export interface OpenPostgres {
  /** @see readPostgresUrl */
  readonly databaseUrl: string
  readonly pool?: PostgresOptions
  readonly log?: Pick<FastifyBaseLogger, 'error' | 'info'>
}

/**
 * The accounts in a PostgreSQL database of their own, at the newest schema. One that is not there yet is waited
 * for; once it was there, it may come and go.
 * @throws OPTION_INVALID; CONFIG_INVALID when it cannot be reached, used or migrated, saying why;
 *   DEPENDENCY_MISSING
 */
export async function openPostgres({ databaseUrl, pool, log }: OpenPostgres): Promise<AccountsDatabase> {
  const address = readPostgresUrl(databaseUrl)
  if (address === null) throw new OptionInvalid('databaseUrl', URL_WANTED)
  const limits = checkPostgres(pool)
  try {
    await prepare(address, limits)
    // Between two statements of a transaction nothing is waited for: only a process that is suspended takes so long.
    // Half, so that whoever waits for its locks is not given up first.
    const patient = { ...limits, silence: Math.ceil(limits.queryTimeout / 2) }
    const kysely = await connect<Tables>(address, patient, log && connectionLog(log, 'PostgreSQL'))
    return served(kysely)
  } catch (error) {
    if (error instanceof DependencyMissing) throw error
    throw databaseFault(error)
  }
}

function databaseFault(error: unknown): Error {
  const reason = error instanceof Error ? error.message : error
  const advice = error instanceof NewerSchema ? ': run that version, or use another database.' : '.'
  return new ConfigInvalid(`DATABASE_URL: the database cannot be used (${reason})${advice}`, { cause: error })
}

/** A standby refuses to begin a transaction that writes; a database that is set to be read only says so. */
async function probe(kysely: Kysely<Tables>): Promise<void> {
  const { sql } = await import('kysely')
  const { rows } = await guarded(() =>
    sql<{ readOnly: string }>`SELECT current_setting('transaction_read_only') AS "readOnly",
      CASE WHEN pg_is_in_recovery() THEN NULL ELSE txid_current() END`.execute(kysely),
  )
  if (rows[0]?.readOnly !== 'off')
    throw new StoreUnavailable({ cause: new Error('PostgreSQL takes no writes') })
}

function served(kysely: Kysely<Tables>): AccountsDatabase {
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= kysely.destroy()
    return closed
  }
  return Object.freeze({ kysely, probe: () => probe(kysely), close })
}

const SILENT: PoolLog = { lost() {}, found() {} }

/** Connects when it is asked something, and changes nothing by itself. @throws DEPENDENCY_MISSING */
export async function connect<T>(
  address: PostgresAddress,
  limits: PoolLimits,
  log: PoolLog = SILENT,
): Promise<Kysely<T>> {
  const { Kysely } = await loadOptional('kysely', () => import('kysely'), 'PostgreSQL')
  return new Kysely<T>({ dialect: await dialectOver(await openPool(address, limits, log)) })
}

/** Its migrations are run under a lock of ours: kysely's would be released before what it protects is there. */
async function dialectOver(pool: PostgresPool): Promise<Dialect> {
  const { PostgresAdapter, PostgresDialect } = await import('kysely')
  const adapter = new PostgresAdapter()
  adapter.acquireMigrationLock = async () => {}
  adapter.releaseMigrationLock = async () => {}
  const dialect = new PostgresDialect({ pool })
  dialect.createAdapter = () => adapter
  return dialect
}

/** Migrates over a connection of its own, which may take longer than a request. */
async function prepare(address: PostgresAddress, limits: CheckedPostgres): Promise<void> {
  const deadline = Date.now() + limits.startTimeout
  const patient = { ...limits, max: 1, queryTimeout: MIGRATION_TIMEOUT, silence: SILENCE }
  const kysely = await connect<unknown>(address, patient)
  try {
    while (!(await attempt(kysely, deadline))) await delay(RETRY_DELAY)
  } finally {
    await kysely.destroy()
  }
}

/** False when it is worth another attempt. */
async function attempt(kysely: Kysely<unknown>, deadline: number): Promise<boolean> {
  try {
    await migrate(kysely)
    return true
  } catch (error) {
    if (isAway(error) && Date.now() < deadline) return false
    throw error
  }
}
