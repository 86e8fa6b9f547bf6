import { OptionInvalid } from '../../errors.js'
import { checkWhole, refuseUnknown } from '../../options.js'

/** How many connections, and how long anything may take. Times are in ms. */
export interface PostgresOptions {
  /** Connections of this process at the most: 10 by default. */
  readonly max?: number
  /** How long a query waits for a connection, a new one or one of those in use: 2000 by default. */
  readonly connectTimeout?: number
  /**
   * How long a query may run before PostgreSQL ends it (`statement_timeout`), and half as long again until a
   * server that does not say so is given up: 2000 by default. After half of it PostgreSQL ends a transaction whose
   * process has gone silent, with what it has locked (`idle_in_transaction_session_timeout`). A pooler in between
   * has to let both settings pass (PgBouncer: `ignore_startup_parameters = statement_timeout,
   * idle_in_transaction_session_timeout`); where it drops them, only the giving up is left.
   */
  readonly queryTimeout?: number
  /** How long a connection is kept that nobody uses: 30 000 by default. */
  readonly idleTimeout?: number
  /** How long a start waits for a PostgreSQL that is not there yet: 5000 by default. */
  readonly startTimeout?: number
}

export type CheckedPostgres = Required<PostgresOptions>

const DEFAULTS: CheckedPostgres = {
  max: 10,
  connectTimeout: 2000,
  queryTimeout: 2000,
  idleTimeout: 30_000,
  startTimeout: 5000,
}
const MOST: CheckedPostgres = {
  max: 1000,
  connectTimeout: 60_000,
  queryTimeout: 60_000,
  idleTimeout: 3_600_000,
  startTimeout: 600_000,
}
const NAMES = ['max', 'connectTimeout', 'queryTimeout', 'idleTimeout', 'startTimeout'] as const

/** @throws OPTION_INVALID naming the option and what it wants */
export function checkPostgres(given: PostgresOptions = {}): CheckedPostgres {
  if (typeof given !== 'object' || given === null) throw new OptionInvalid('pool', 'wants an object')
  refuseUnknown(given, DEFAULTS)
  const all = { ...DEFAULTS }
  for (const name of NAMES) {
    const value = given[name] ?? DEFAULTS[name]
    // 0 would mean for ever to the driver.
    all[name] = checkWhole(`pool.${name}`, value, 1, MOST[name])
  }
  return Object.freeze(all)
}
