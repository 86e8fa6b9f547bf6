import { OptionInvalid } from '../../errors.js'
import { checkWhole, refuseUnknown } from '../../options.js'

/** How many connections, and how long anything may take. Times are in ms. */
export interface PostgresOptions {
  /** The maximum number of connections of this process: 10 by default. */
  readonly max?: number
  /** How long a query waits for a connection, a new one or a free one: 2000 by default. */
  readonly connectTimeout?: number
  /**
   * How long a query may run before PostgreSQL ends it (`statement_timeout`): 2000 by default. If the server does not
   * answer by then, this process gives up after half as long again. After half of this time, PostgreSQL ends a
   * transaction whose process has gone silent, and frees its locks (`idle_in_transaction_session_timeout`). A pooler in
   * between must let both settings pass (PgBouncer: `ignore_startup_parameters = statement_timeout,
   * idle_in_transaction_session_timeout`). If the pooler drops them, only this process's own limit remains.
   */
  readonly queryTimeout?: number
  /** How long an unused connection is kept: 30 000 by default. */
  readonly idleTimeout?: number
  /** How long a start waits for a PostgreSQL that cannot be reached yet: 5000 by default. */
  readonly startTimeout?: number
}

export type CheckedPostgres = Required<PostgresOptions>

const DEFAULTS = {
  max: 10,
  connectTimeout: 2000,
  queryTimeout: 2000,
  idleTimeout: 30_000,
  startTimeout: 5000,
}

/** @throws OPTION_INVALID naming the option and what it wants */
export function checkPostgres(given: PostgresOptions = {}): CheckedPostgres {
  if (typeof given !== 'object' || given === null) throw new OptionInvalid('pool', 'wants an object')
  refuseUnknown<PostgresOptions>(given, DEFAULTS)
  // The driver takes 0 to mean forever.
  const check = (name: keyof PostgresOptions, most: number) =>
    checkWhole(`pool.${name}`, given[name] ?? DEFAULTS[name], 1, most)
  return Object.freeze({
    max: check('max', 1000),
    connectTimeout: check('connectTimeout', 60_000),
    queryTimeout: check('queryTimeout', 60_000),
    idleTimeout: check('idleTimeout', 3_600_000),
    startTimeout: check('startTimeout', 600_000),
  })
}
