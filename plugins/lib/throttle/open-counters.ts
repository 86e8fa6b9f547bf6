import type { FastifyBaseLogger } from 'fastify'
import type Database from 'libsql'
import { databaseFile, openDatabase } from '../database/embedded.js'
import { loadOptional } from '../optional.js'
import type { StateBacking } from '../stores/backing.js'
import { asRedisClient, PREFIX, type RedisClient } from '../stores/redis/scripts.js'
import { sweepRegularly } from '../stores/sweeper.js'
import { type Counters, limiterCounters } from './counters.js'
import { RedisSteps } from './redis-steps.js'
import type { SteppedCounters } from './steps.js'

/** Counters that outlive the process, or are shared with others. */
export interface OpenedCounters {
  readonly counters: Counters
  close(): Promise<void>
}

const load = () =>
  loadOptional('rate-limiter-flexible', () => import('rate-limiter-flexible'), 'Throttling sign-ins')

/** What the library asks of a limiter of its own, which ours are not: only its counters are used. */
const UNUSED = { points: 1, duration: 1 }

/**
 * The library's own script, but for its last but one line: what comes back to nothing is not kept, so that a flood
 * of attempts that the hash queue sheds leaves no keys. ARGV: points, seconds to keep.
 */
const ADD = `
redis.call('SET', KEYS[1], 0, 'EX', ARGV[2], 'NX')
local value = redis.call('INCRBY', KEYS[1], ARGV[1])
local ttl = redis.call('PTTL', KEYS[1])
if value <= 0 then redis.call('DEL', KEYS[1]) end
return { value, ttl }
`

const TABLE = 'throttle_counters'
/** How many rows one statement drops: a longer one would keep the event loop from everybody else. */
const SWEEP_BATCH = 500
const SWEEP = `DELETE FROM ${TABLE} WHERE key IN (
  SELECT key FROM ${TABLE} WHERE expire <= ? UNION ALL
  SELECT key FROM ${TABLE} WHERE points <= 0 LIMIT ${SWEEP_BATCH})`

/**
 * Where the application's state is. Null: in this process, where the throttle has counters of its own.
 * @throws DEPENDENCY_MISSING, STORE_UNAVAILABLE
 */
export async function openCounters(
  backing: StateBacking,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Promise<OpenedCounters | null> {
  if (backing.kind === 'redis')
    return openRedisCounters(asRedisClient(backing.client), backing.commandTimeout)
  if (backing.kind === 'sqlite') return openSqliteCounters(backing.dataDir, log)
  return null
}

/** In Redis, standalone or a cluster: each command is about keys of one slot. The client stays its owner's. */
export async function openRedisCounters(
  client: RedisClient,
  commandTimeout: number,
): Promise<{ readonly counters: SteppedCounters; close(): Promise<void> }> {
  const { RateLimiterRedis } = await load()
  const limiter = new RateLimiterRedis({
    ...UNUSED,
    storeClient: client,
    keyPrefix: `${PREFIX}th`,
    rejectIfRedisNotReady: true,
    customIncrTtlLuaScript: ADD,
  })
  const { add, read, write } = limiterCounters(limiter)
  const limited = within(commandTimeout)
  const counters = {
    add: (...args: Parameters<typeof add>) => limited(add(...args)),
    read: (...args: Parameters<typeof read>) => limited(read(...args)),
    write: (...args: Parameters<typeof write>) => limited(write(...args)),
    steps: new RedisSteps({ client, keyOf: (name) => limiter.getKey(name), limited }),
  }
  return { counters, close: async () => {} }
}

/** A Redis that does not answer is one that fails, whatever the client's own settings are. In ms. */
function within(timeout: number) {
  return async <T>(operation: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const refuse = () => reject(new Error(`Redis did not answer within ${timeout} ms`))
      // The sockets have one more turn: after a stall, an answer that has come may not have been read yet.
      timer = setTimeout(() => setImmediate(refuse), timeout)
    })
    return Promise.race([operation, late]).finally(() => clearTimeout(timer))
  }
}

/**
 * In the embedded file, on the connection that the others use.
 * @param sweepInterval how often what has passed is collected, in ms
 */
export async function openSqliteCounters(
  dataDir: string,
  log: Pick<FastifyBaseLogger, 'warn'>,
  sweepInterval?: number,
): Promise<OpenedCounters> {
  const { RateLimiterSQLite } = await load()
  const { connection, close } = await openDatabase(databaseFile(dataDir))
  const limiter = new RateLimiterSQLite({
    ...UNUSED,
    storeClient: unsynced(connection),
    storeType: 'better-sqlite3',
    tableName: TABLE,
    // By our migrations: the library's own way answers before it is there.
    tableCreated: true,
    keyPrefix: '',
  })
  const sweep = connection.prepare(SWEEP)
  // They last for minutes, and the library judges them by the same clock.
  const sweeper = { interval: sweepInterval, settled: null }
  const stop = sweepRegularly({ sweep: (now) => sweepAll(sweep, now) }, Date.now, log, sweeper)
  return {
    counters: limiterCounters(limiter),
    async close() {
      stop()
      await close()
    },
  }
}

/**
 * What the library uses of a connection. A count need not be on the disk before the guess is judged: a power cut
 * may take it back, and waiting for the disk would hold up everybody for milliseconds at each attempt. The next
 * commit that matters syncs these as well, for they are in the same log.
 */
function unsynced(connection: Database.Database) {
  return {
    prepare: (sql: string) => connection.prepare(sql),
    transaction(work: () => unknown) {
      const transaction = connection.transaction(work)
      return () => {
        connection.pragma('synchronous=NORMAL')
        try {
          return transaction()
        } finally {
          connection.pragma('synchronous=FULL')
        }
      }
    },
  }
}

async function sweepAll(sweep: Database.Statement, now: number): Promise<void> {
  while (sweep.run(now).changes === SWEEP_BATCH) await new Promise((resolve) => setImmediate(resolve))
}
