import type Database from 'libsql'
import { StoreUnavailable } from '../../errors.js'

/*
 * All the SQL of the SQLite store. A statement is prepared at its first use, and returns arrays (`raw`) in the order of
 * the columns that it names. The driver cuts a text at the first NUL, and an application's account id may hold one. So
 * the revocation list is read as bytes.
 */

const SIGN_IN = `account_id, id, mode, epoch, generation, created_at, last_seen_at, idle_expires_at,
  absolute_expires_at, ip, user_agent, session_key, refresh_counter, refresh_key_id, refresh_rotated_at, claims, seal,
  binding`
const SESSION = 'version, sealed, idle_expires_at, absolute_expires_at'
/** How many rows one sweep statement drops. More would block the event loop for too long. */
export const SWEEP_BATCH = 500
/** How many sign-ins of an account one statement reads, and one transaction ends, for the same reason. */
export const SIGN_IN_PAGE = 500
export const END_BATCH = 100
/** How many rows of the revocation list one statement reads. At least 2: the first row is read again. */
export const PAGE = 2000

function drop(table: string, key: string, limit: string, most = SWEEP_BATCH): string {
  return `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE ${limit} <= ? LIMIT ${most})`
}

const SQL = {
  generation: 'SELECT generation FROM revocation_list',
  makeGeneration: `INSERT INTO revocation_list VALUES (1, ?)
    ON CONFLICT DO UPDATE SET generation = generation RETURNING generation`,
  liveness: `SELECT (SELECT generation FROM revocation_list),
    EXISTS (SELECT 1 FROM ended_sign_ins WHERE id = ?),
    (SELECT epoch FROM raised_epochs WHERE account_id = ?),
    (SELECT epoch FROM spared_sign_ins WHERE account_id = ? AND id = ?)`,
  dataVersion: 'PRAGMA data_version',
  endedPage: `SELECT CAST(id AS BLOB), '', until FROM ended_sign_ins
    WHERE id >= ? AND ? = '' ORDER BY id LIMIT ${PAGE}`,
  epochPage: `SELECT CAST(account_id AS BLOB), '', epoch, until FROM raised_epochs
    WHERE account_id >= ? AND ? = '' ORDER BY account_id LIMIT ${PAGE}`,
  sparedPage: `SELECT CAST(account_id AS BLOB), CAST(id AS BLOB), epoch, until FROM spared_sign_ins
    WHERE (account_id, id) >= (?, ?) ORDER BY account_id, id LIMIT ${PAGE}`,
  endSignIn: `INSERT INTO ended_sign_ins VALUES (?, ?)
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)`,
  raiseEpoch: `INSERT INTO raised_epochs VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch), until = max(until, excluded.until)`,
  spare: `INSERT INTO spared_sign_ins VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch), until = max(until, excluded.until)`,

  dropPassed: 'DELETE FROM sign_ins WHERE account_id = ? AND min(idle_expires_at, absolute_expires_at) <= ?',
  addSignIn: `INSERT OR REPLACE INTO sign_ins (${SIGN_IN}) VALUES (${Array(18).fill('?').join(', ')})`,
  countSignIns: `SELECT count(*) FROM sign_ins
    WHERE account_id = ? AND min(idle_expires_at, absolute_expires_at) > ?`,
  findSignIn: `SELECT ${SIGN_IN} FROM sign_ins WHERE account_id = ? AND id = ?`,
  signInPage: `SELECT ${SIGN_IN} FROM sign_ins
    WHERE account_id = ? AND id >= ? AND id IS NOT ? ORDER BY id LIMIT ${SIGN_IN_PAGE}`,
  touchSignIn: `UPDATE sign_ins SET last_seen_at = max(last_seen_at, ?),
    idle_expires_at = max(idle_expires_at, min(absolute_expires_at, ?)) WHERE account_id = ? AND id = ?`,
  setRefresh: `UPDATE sign_ins SET refresh_counter = ?, refresh_key_id = ?, refresh_rotated_at = ?
    WHERE account_id = ? AND id = ?`,
  resealSignIn: 'UPDATE sign_ins SET seal = ? WHERE account_id = ? AND id = ? AND seal = ?',
  settleBinding: `UPDATE sign_ins SET binding = ?
    WHERE account_id = ? AND id = ? AND binding IS ? AND min(idle_expires_at, absolute_expires_at) > ?`,
  removeSignIn: 'DELETE FROM sign_ins WHERE account_id = ? AND id = ?',

  createSession: `INSERT OR IGNORE INTO sessions (${SESSION}, key) VALUES (?, ?, ?, ?, ?)`,
  readSession: `SELECT ${SESSION} FROM sessions WHERE key = ?`,
  replaceSession: `UPDATE sessions SET (${SESSION}) = (?, ?, ?, ?) WHERE key = ? AND version = ?`,
  touchSession: `UPDATE sessions
    SET idle_expires_at = max(idle_expires_at, min(absolute_expires_at, ?)) WHERE key = ?`,
  destroySession: 'DELETE FROM sessions WHERE key = ?',

  spend: 'INSERT OR IGNORE INTO spent VALUES (?, ?)',
  /** More than one, so that they cannot pile up. */
  dropSpent: drop('spent', 'key', 'until', 3),

  sweepSignIns: drop('sign_ins', 'account_id, id', 'idle_expires_at'),
  sweepSessions: drop('sessions', 'key', 'idle_expires_at'),
  sweepEnded: drop('ended_sign_ins', 'id', 'until'),
  sweepEpochs: drop('raised_epochs', 'account_id', 'until'),
  sweepSpared: drop('spared_sign_ins', 'account_id, id', 'until'),
} as const

export type StatementName = keyof typeof SQL

/** The statements of a sweep, each with its time limit (ms): `now` for records, `upTo` for revocations. */
export function sweeps(now: number, upTo: number): readonly (readonly [StatementName, number])[] {
  return [
    ['sweepSignIns', now],
    ['sweepSessions', now],
    ['sweepEnded', upTo],
    ['sweepEpochs', upTo],
    ['sweepSpared', upTo],
  ]
}

/** Statements that read the revocation list, from a key of two parts. */
export type PageName = 'endedPage' | 'epochPage' | 'sparedPage'
type Value = string | number | null

export class Statements {
  readonly #connection: Database.Database
  readonly #prepared = new Map<StatementName, Database.Statement>()

  constructor(connection: Database.Database) {
    this.#connection = connection
  }

  /** The first row's values, or undefined. */
  get(name: StatementName, ...values: Value[]): unknown {
    return this.#prepare(name).get(values)
  }

  all(name: StatementName, ...values: Value[]): unknown[] {
    return this.#prepare(name).all(values)
  }

  /** @returns how many rows changed */
  run(name: StatementName, ...values: Value[]): number {
    return this.#prepare(name).run(values).changes
  }

  /**
   * Runs `work` synchronously in one transaction that holds the write lock from the start: other users have the same
   * connection between two turns of the event loop.
   * @throws STORE_UNAVAILABLE
   */
  atomically<T>(work: () => T): T {
    return attempt(() => {
      this.#connection.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.#connection.exec('COMMIT')
        return result
      } catch (error) {
        if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK')
        throw error
      }
    })
  }

  #prepare(name: StatementName): Database.Statement {
    // A prepared statement still works after its connection was closed.
    if (!this.#connection.open) throw new Error('The database is closed')
    const known = this.#prepared.get(name)
    if (known) return known
    const statement = this.#connection.prepare(SQL[name])
    const made = statement.reader ? statement.raw() : statement
    this.#prepared.set(name, made)
    return made
  }
}

/** @throws STORE_UNAVAILABLE when the file is busy for too long, closed, full, or damaged */
export function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new StoreUnavailable({ cause: error })
  }
}
