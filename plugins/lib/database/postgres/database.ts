import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Kysely } from 'kysely'
import { guarded } from '../../accounts/rows.js'
import { connectionLog } from '../../connection-log.js'
import { ConfigInvalid, DependencyMissing, OptionInvalid, StoreUnavailable } from '../../errors.js'
import type { AccountsDatabase } from '../accounts-database.js'
import { NewerSchema } from '../faults.js'
import type { Tables } from '../tables.js'
import { type PostgresAddress, readPostgresUrl, URL_WANTED } from './address.js'
import { isAway } from './faults.js'
import { migrate } from './migrate.js'
import { type CheckedPostgres, checkPostgres, type PostgresOptions } from './options.js'
import { openPool, type PoolLimits, type PoolLog } from './pool.js'

/** How long a start waits for another process that migrates, and how long a statement of a migration may run, in ms. */
const MIGRATION_TIMEOUT = 60_000
/** How long PostgreSQL waits for a migrating process that has gone silent, in ms. */
const SILENCE = 15_000
const RETRY_DELAY = 100

export interface OpenPostgres {
  /** @see readPostgresUrl */
  readonly databaseUrl: string
  readonly pool?: PostgresOptions
  readonly log?: Pick<FastifyBaseLogger, 'error' | 'info'>
}

/**
 * Opens the accounts' PostgreSQL database at the newest schema. Waits for a server that cannot be reached yet. After
 * that, connections are made again whenever they are lost.
 * @throws OPTION_INVALID; CONFIG_INVALID if it cannot be reached, used or migrated; DEPENDENCY_MISSING
 */
export async function openPostgres({ databaseUrl, pool, log }: OpenPostgres): Promise<AccountsDatabase> {
  const address = readPostgresUrl(databaseUrl)
  if (address === null) throw new OptionInvalid('databaseUrl', URL_WANTED)
  const limits = checkPostgres(pool)
  try {
    await prepare(address, limits)
    // Only a suspended process is silent for so long between two statements of a transaction. Half of the timeout, so
    // that PostgreSQL frees its locks before it ends the queries that wait for them.
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

/** A standby refuses to assign a transaction id; a read-only database reports its setting. */
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

/** Connects at the first query. @throws DEPENDENCY_MISSING */
export async function connect<T>(
  address: PostgresAddress,
  limits: PoolLimits,
  log: PoolLog = SILENT,
): Promise<Kysely<T>> {
  const { Kysely, PostgresAdapter, PostgresDialect } = await import('kysely')
  // Migrations take a lock of ours: kysely would release its own before the transaction is committed.
  const adapter = new PostgresAdapter()
  adapter.acquireMigrationLock = async () => {}
  adapter.releaseMigrationLock = async () => {}
  const dialect = new PostgresDialect({ pool: await openPool(address, limits, log) })
  dialect.createAdapter = () => adapter
  return new Kysely<T>({ dialect })
}

/** Migrates over a separate connection: a migration may take longer than a request. */
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

/** False if another attempt may help. */
async function attempt(kysely: Kysely<unknown>, deadline: number): Promise<boolean> {
  try {
    await migrate(kysely)
    return true
  } catch (error) {
    if (isAway(error) && Date.now() < deadline) return false
    throw error
  }
}
