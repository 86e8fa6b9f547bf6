import { readFileSync } from 'node:fs'
import type { PostgresPool } from 'kysely'
import type { PoolClient, PoolConfig } from 'pg'
import { loadOptional } from '../../optional.js'
import type { PostgresAddress, PostgresTls } from './address.js'
import { fault, isAftermath, isAnswer, type PostgresFault } from './faults.js'

/** How many connections, and how long anything may take. Times are in ms. */
export interface PoolLimits {
  readonly max: number
  readonly connectTimeout: number
  readonly queryTimeout: number
  readonly idleTimeout: number
  /** After how long PostgreSQL ends a transaction whose process has gone silent. */
  readonly silence: number
}

/** What the pool tells of: the first connection that is lost, and the first that is made after it. */
export interface PoolLog {
  lost(error: Error): void
  found(): void
}

/** bigint, which the driver hands out as text: ours are times in ms and counts, which a number holds precisely. */
const BIGINT = 20

/**
 * A pool on which nothing hangs and which needs no care: a connection on which anything went wrong but what
 * PostgreSQL itself has answered is closed, and the next query makes another one. What it rejects with names no
 * value that a query carried.
 * @throws DEPENDENCY_MISSING, or what reading the file of certificates throws
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
  // Unheard, an error of a connection ends the process: the pool hears of those that are idle, and we of the others.
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
  return {
    ...{ host, port, database, application_name: applicationName },
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ssl: tls !== null && trust(tls),
  }
}

function trust({ isVerified, caFile }: PostgresTls): PoolConfig['ssl'] {
  return {
    rejectUnauthorized: isVerified,
    ...(caFile === null ? {} : { ca: readFileSync(caFile, 'utf8') }),
  }
}

function timesOf({ max, connectTimeout, queryTimeout, idleTimeout, silence }: PoolLimits): PoolConfig {
  return {
    max,
    connectionTimeoutMillis: connectTimeout,
    statement_timeout: queryTimeout,
    // For a server that is frozen or out of reach. Later than its own, whose answer leaves the connection sound.
    query_timeout: Math.ceil(queryTimeout * 1.5),
    idleTimeoutMillis: idleTimeout,
    idle_in_transaction_session_timeout: silence,
    keepAlive: true,
    // A frozen server does not answer the goodbye either, and must not hold up the end of the process.
    allowExitOnIdle: true,
  }
}

/**
 * The client, which goes back to the pool only while it is sound: behind a query that was given up, the next one
 * would wait in vain.
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
