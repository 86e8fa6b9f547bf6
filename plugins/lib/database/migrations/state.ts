import { newGeneration } from '../../stores/rules.js'
import type { Migration } from './migration.js'

/*
 * SQLite's own dialect, for these tables exist in the embedded file only. STRICT: a column holds the type it
 * names. WITHOUT ROWID: a row lives in its primary key's tree, and is reached in one search. Times are in ms;
 * what has passed is found by index.
 */
const STATEMENTS = [
  `CREATE TABLE sign_ins (
    account_id TEXT NOT NULL,
    id TEXT NOT NULL,
    mode TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    session_key TEXT,
    refresh_counter INTEGER,
    refresh_key_id TEXT,
    refresh_rotated_at INTEGER,
    claims TEXT,
    PRIMARY KEY (account_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX sign_ins_idle ON sign_ins (idle_expires_at)',
  `CREATE TABLE sessions (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    sealed TEXT NOT NULL
  ) STRICT`,
  'CREATE INDEX sessions_idle ON sessions (idle_expires_at)',
  `CREATE TABLE ended_sign_ins (
    id TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX ended_sign_ins_until ON ended_sign_ins (until)',
  `CREATE TABLE raised_epochs (
    account_id TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX raised_epochs_until ON raised_epochs (until)',
  `CREATE TABLE spared_sign_ins (
    account_id TEXT NOT NULL,
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX spared_sign_ins_until ON spared_sign_ins (until)',
  `CREATE TABLE revocation_list (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    generation INTEGER NOT NULL
  ) STRICT`,
]

/** The tables of sign-ins, sessions and revocations, and the generation that this revocation list has for good. */
export const stateMigrations: Record<string, Migration> = {
  '0002_state': {
    async up(db) {
      // Imported here: kysely is optional, and whoever migrates has loaded it.
      const { sql } = await import('kysely')
      for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
      await sql`INSERT INTO revocation_list VALUES (1, ${newGeneration()})`.execute(db)
    },
  },
}
