import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { newGeneration } from '../../stores/rules.js'

/*
 * Only the embedded file has these tables, so this is SQLite's own dialect. WITHOUT ROWID: one search of the primary key
 * finds the row. Times are in ms. The indexes on times find expired rows.
 */
const STATE = [
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

/* `expire` is in ms. Version 0.1 indexed counters of 0 as well; none is kept now. */
const THROTTLE = [
  `CREATE TABLE throttle_counters (
    key TEXT NOT NULL PRIMARY KEY,
    points INTEGER NOT NULL,
    expire INTEGER
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX throttle_counters_expire ON throttle_counters (expire)',
  'CREATE INDEX throttle_counters_nothing ON throttle_counters (key) WHERE points <= 0',
]

/** The tables of sign-ins, sessions and revocations. The revocation list keeps this generation for good. */
export const state: Migration = {
  up: (db) => run(db, [...STATE, `INSERT INTO revocation_list VALUES (1, ${newGeneration()})`]),
}

export const throttle: Migration = { up: (db) => run(db, THROTTLE) }

/** Authenticates a sign-in's record, and holds its claims. Null for records of version 0.1. */
export const sealedSignIns: Migration = { up: (db) => run(db, ['ALTER TABLE sign_ins ADD COLUMN seal text']) }

/** What a sign-in is bound to. Null: not settled. */
export const signInBindings: Migration = {
  up: (db) => run(db, ['ALTER TABLE sign_ins ADD COLUMN binding text']),
}

/** What may be used once, such as the proofs of DPoP. */
export const spentOnce: Migration = {
  up: (db) =>
    run(db, [
      `CREATE TABLE spent (
        key TEXT NOT NULL PRIMARY KEY,
        until INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID`,
      'CREATE INDEX spent_until ON spent (until)',
    ]),
}

async function run<T>(db: Kysely<T>, statements: readonly string[]): Promise<void> {
  // Imported here, so that importing the suite does not load kysely.
  const { sql } = await import('kysely')
  for (const statement of statements) await sql.raw(statement).execute(db)
}
