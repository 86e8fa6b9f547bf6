import type { Migration } from './migration.js'

/* `expire` is in ms. Version 0.1 indexed counters of 0 as well; now none is kept. */
const STATEMENTS = [
  `CREATE TABLE throttle_counters (
    key TEXT NOT NULL PRIMARY KEY,
    points INTEGER NOT NULL,
    expire INTEGER
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX throttle_counters_expire ON throttle_counters (expire)',
  'CREATE INDEX throttle_counters_nothing ON throttle_counters (key) WHERE points <= 0',
]

/** The table of what the throttle counts, in the embedded file only. */
export const throttleMigrations: Record<string, Migration> = {
  '0004_throttle': {
    async up(db) {
      // Imported here: kysely is optional, and whoever migrates has loaded it.
      const { sql } = await import('kysely')
      for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
    },
  },
}
