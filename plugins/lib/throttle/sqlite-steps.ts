import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type Database from 'libsql'
import { databaseFile, openDatabase } from '../database/embedded.js'
import { sweepRegularly } from '../stores/sweeper.js'
import { checked, LocalSteps, type Steps } from './steps.js'

const TABLE = 'throttle_counters'
/** Rows deleted by one statement: more would block the event loop. */
const SWEEP_BATCH = 500
const SWEEP = `DELETE FROM ${TABLE} WHERE key IN (SELECT key FROM ${TABLE} WHERE expire <= ? LIMIT ${SWEEP_BATCH})`

class SqliteSteps extends LocalSteps {
  readonly #read
  readonly #write
  readonly #change
  readonly #remove

  constructor(private readonly connection: Database.Database) {
    super()
    this.#read = connection.prepare(`SELECT points FROM ${TABLE} WHERE key = ? AND expire > ?`).pluck()
    this.#write = connection.prepare(`INSERT OR REPLACE INTO ${TABLE} (key, points, expire) VALUES (?, ?, ?)`)
    this.#change = connection.prepare(`UPDATE ${TABLE} SET points = ? WHERE key = ?`)
    this.#remove = connection.prepare(`DELETE FROM ${TABLE} WHERE key = ?`)
  }

  protected read(name: string): number {
    // This driver's `get` ignores `pluck`.
    const [points = 0] = this.#read.all(name, Date.now())
    return checked(Number(points))
  }

  protected write(name: string, value: number, keep: number): void {
    this.#write.run(name, value, Date.now() + keep * 1000)
  }

  protected change(name: string, value: number): void {
    if (value === 0) this.#remove.run(name)
    else this.#change.run(value, name)
  }

  /**
   * Without a sync, which would block the process for milliseconds at each attempt. A power cut may lose the count. The
   * next synced commit writes it too, because both are in one log.
   */
  protected override atomically<T>(work: () => T): T {
    const { connection } = this
    connection.pragma('synchronous=NORMAL')
    try {
      return connection.transaction(work).immediate()
    } finally {
      connection.pragma('synchronous=FULL')
    }
  }
}

/**
 * Counters in the embedded file, on the connection that the others use.
 * @param sweepInterval how often expired counters are collected, in ms
 * @throws DEPENDENCY_MISSING, CONFIG_INVALID
 */
export async function openSqliteSteps(
  dataDir: string,
  log: Pick<FastifyBaseLogger, 'warn'>,
  sweepInterval?: number,
): Promise<{ readonly steps: Steps; close(): Promise<void> }> {
  const { connection, close } = await openDatabase(databaseFile(dataDir))
  const sweep = connection.prepare(SWEEP)
  // Counters last for minutes, and their expiry is read by the same clock.
  const sweeper = { interval: sweepInterval, settled: null }
  const stop = sweepRegularly({ sweep: (now) => sweepAll(sweep, now) }, Date.now, log, sweeper)
  return {
    steps: new SqliteSteps(connection),
    async close() {
      stop()
      await close()
    },
  }
}

async function sweepAll(sweep: Database.Statement, now: number): Promise<void> {
  while (sweep.run(now).changes === SWEEP_BATCH) await nextTurn()
}
