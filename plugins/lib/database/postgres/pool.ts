import { readFileSync } from 'node:fs'
import type { PostgresPool } from 'kysely'
import type { PoolClient, PoolConfig } from 'pg'
import { loadOptional } from '../../optional.js'
import type { PostgresAddress, PostgresTls } from './address.js'
import { fault, isAftermath, isAnswer, type PostgresFault } from './faults.js'
import type { CheckedPostgres } from './options.js'

/** Times are in ms. */
export interface PoolLimits extends Omit<CheckedPostgres, 'startTimeout'> {
  /** After how long PostgreSQL ends a transaction whose process has gone silent. */
  readonly silence: number
}

/** Hears of lost and new connections. */
export interface PoolLog {
  lost(error: Error): void
  found(): void
}

/** The type id of bigint. The driver returns it as text. Ours are times in ms and counts, which a number holds exactly. */
const BIGINT = 20

/**
 * A pool whose queries never hang. After any fault except an answer of PostgreSQL itself, it closes the connection, and
 * the next query makes another one. Its errors name no value that a query carried.
 * @throws DEPENDENCY_MISSING, or the error of reading the file of certificates
 */
export async function openPool(
  address: PostgresAddress,
  limits: PoolLimits,
  log: PoolLog,
): Promise<PostgresPool> {
  const { default: pg } = await loadOptional('pg', () => import('pg'), 'PostgreSQL')
  const types: PoolConfig['types'] = {
    getTypeParser: (id: number, format?: 'text' | 'binary') =>
      id === BIGINT ? Number : pg.types.getTypeParser(id, format),
  }
  const pool = new pg.Pool({ ...where(address), ...timesOf(limits), types })
  // An error event without a listener ends the process. The pool listens on idle connections, and we on the others.
  pool.on('error', (error) => log.lost(fault(error)))
  pool.on('connect', (client) => {
    client.on('error', (error) => log.lost(fault(error)))
    log.found()
  })
  return {
    options: {},
    connect: () =>
      pool.connect().then(
        (client) => guard(client, log),
        (error) => Promise.reject(fault(error)),
      ),
    end: () => pool.end(),
  }
}

function where({ host, port, database, user, password, tls, applicationName }: PostgresAddress): PoolConfig {
  const ssl = tls !== null && trust(tls)
  return { host, port, database, user, password, ssl, application_name: applicationName }
}

function trust({ isVerified, caFile }: PostgresTls): PoolConfig['ssl'] {
  const ca = caFile === null ? undefined : readFileSync(caFile, 'utf8')
  return { rejectUnauthorized: isVerified, ca }
}

function timesOf({ max, connectTimeout, queryTimeout, idleTimeout, silence }: PoolLimits): PoolConfig {
  return {
    max,
    connectionTimeoutMillis: connectTimeout,
    statement_timeout: queryTimeout,
    // For a server that is frozen or out of reach. Later than PostgreSQL's own limit, which leaves the connection sound.
    query_timeout: Math.ceil(queryTimeout * 1.5),
    idleTimeoutMillis: idleTimeout,
    idle_in_transaction_session_timeout: silence,
    keepAlive: true,
    // A frozen server does not answer the end of a connection either. It must not delay the end of the process.
    allowExitOnIdle: true,
  }
}

/**
 * Returns the client to the pool only while it is sound: a connection whose query was given up would keep the next
 * query waiting in vain.
 */
function guard(client: PoolClient, log: PoolLog): PoolClient {
  let broken: Error | undefined
  let first: PostgresFault | undefined
  async function query(text: string, values: unknown[]) {
    if (broken) throw broken
    try {
      return await client.query(text, values)
    } catch (error) {
      const cause = fault(error)
      if (isAftermath(cause)) throw first ?? cause
      first = cause
      if (isAnswer(cause)) throw cause
      broken = cause
      log.lost(cause)
      throw cause
    }
  }
  const release = () => client.release(broken)
  return Object.create(client, { query: { value: query }, release: { value: release } })
}
