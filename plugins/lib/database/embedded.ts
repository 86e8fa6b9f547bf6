import { setTimeout } from 'node:timers/promises'
import type Database from 'libsql'
import { ConfigInvalid, DependencyMissing, StoreUnavailable } from '../errors.js'
import type { AccountsDatabase } from './accounts-database.js'
import { createPrivateFile, loadLibsql } from './data-dir.js'
import { fileFault, isBusy, migrationFault } from './faults.js'
import { migrations } from './migrations/index.js'
import type { Tables } from './tables.js'
import { type FileIdentity, identify, takeWrite } from './write-probe.js'

export { databaseFile, lockDataDir } from './data-dir.js'

/**
 * The embedded database: one connection with two interfaces. No transaction on it may span an `await`: it would include
 * the statements of other users, and roll them back. A change is one statement that compares and sets, or a synchronous
 * transaction.
 */
export interface EmbeddedDatabase extends AccountsDatabase {
  /** Synchronous. Beware: `get()` adds a field `_metadata` to a row, `all()` does not. */
  readonly connection: Database.Database
  /** Idempotent. The connection ends with the last of its users. */
  close(): Promise<void>
}

interface Opened extends Pick<EmbeddedDatabase, 'connection' | 'kysely'> {
  /** Null for a database in memory. */
  readonly identity: FileIdentity | null
}

/** How long a statement waits for another process's write, in ms. */
const BUSY_TIMEOUT = 5000
/** Before another try, in ms. */
const BUSY_PAUSE = 10
const MEMORY = ':memory:'

/**
 * Runs the migrations that have not run yet. The transaction lets one process at a time migrate: the next one waits, and
 * finds the work done. It may span awaits, because nobody else has the connection yet.
 */
async function migrate({ connection, kysely }: Pick<Opened, 'connection' | 'kysely'>): Promise<void> {
  const { Migrator } = await import('kysely/migration')
  connection.exec('BEGIN IMMEDIATE')
  const migrator = new Migrator({ db: kysely, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  const fault = error === undefined ? undefined : await migrationFault(kysely, migrations, error)
  connection.exec(error ? 'ROLLBACK' : 'COMMIT')
  if (error) throw fault
}

/**
 * Tries again while another process has the file locked. If two processes switch a new file to WAL at once, SQLite
 * refuses one of them without waiting for its own timeout: each would wait for the other.
 */
async function untilFree<T>(work: () => T): Promise<T> {
  const end = performance.now() + BUSY_TIMEOUT
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error
      await setTimeout(BUSY_PAUSE)
    }
  }
}

/** FULL syncs the log at each commit. With NORMAL, a power cut could undo a sign-out that was answered. */
async function connect(path: string): Promise<Opened> {
  const Libsql = await loadLibsql()
  const { Kysely, SqliteDialect } = await import('kysely')
  const connection = new Libsql(path, { timeout: BUSY_TIMEOUT })
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: connection }) })
  try {
    await untilFree(() => connection.pragma('journal_mode=WAL'))
    connection.pragma('synchronous=FULL')
    await migrate({ connection, kysely })
    const identity = path === MEMORY ? null : identify(path)
    // SQLite also opens a file that cannot be written. Without this, the first login would fail.
    takeWrite(connection, identity)
    return { connection, kysely, identity }
  } catch (error) {
    connection.close()
    throw error
  }
}

interface Shared {
  readonly opened: Promise<Opened>
  users: number
}

const shared = new Map<string, Shared>()

async function acquire(path: string): Promise<Shared> {
  const entry = shared.get(path) ?? { opened: connect(path), users: 0 }
  if (path !== MEMORY) shared.set(path, entry)
  entry.users += 1
  try {
    await entry.opened
  } catch (error) {
    if (shared.get(path) === entry) shared.delete(path)
    throw error
  }
  return entry
}

/**
 * Opens the embedded database at the newest schema, and creates it if necessary (directory mode 0700, file mode 0600).
 * All users of a file in a process share one connection; `:memory:` is never shared.
 * @throws DEPENDENCY_MISSING; CONFIG_INVALID if others may write the file, or it cannot be created, read, written or
 *   migrated
 */
export async function openDatabase(file: string): Promise<EmbeddedDatabase> {
  try {
    const path = file === MEMORY ? MEMORY : createPrivateFile(file)
    const entry = await acquire(path)
    const { connection, kysely, identity } = await entry.opened
    let closed = false
    const close = async () => {
      if (closed) return
      closed = true
      release(path, entry, connection)
    }
    const probe = async () => {
      try {
        takeWrite(connection, identity)
      } catch (cause) {
        throw new StoreUnavailable({ cause })
      }
    }
    return Object.freeze({ connection, kysely, probe, close })
  } catch (error) {
    const isPlain = error instanceof DependencyMissing || error instanceof ConfigInvalid
    throw isPlain ? error : fileFault(file, error)
  }
}

function release(path: string, entry: Shared, connection: Database.Database): void {
  entry.users -= 1
  if (entry.users > 0) return
  if (shared.get(path) === entry) shared.delete(path)
  // The driver leaves the log behind, and a copy of the file alone would lack half of the data.
  try {
    connection.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    connection.close()
  }
}
