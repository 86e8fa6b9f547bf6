import type { Kysely } from 'kysely'
import { postgresMigrations } from '../migrations/index.js'
import { loadOptional } from '../optional.js'

/** Any number will do that everybody who migrates agrees on. */
const LOCK = 7_310_471_055

/**
 * Runs what has not run yet, all of it or nothing: whoever is killed meanwhile leaves nothing behind. Of several
 * that start at once one migrates, and the others wait and find it done. The lock ends with the transaction, so
 * that it holds behind a pooler too, and nothing can be left locked.
 * @throws what the database or a migration throws
 */
export async function migrate(kysely: Kysely<unknown>): Promise<void> {
  const { Migrator } = await loadOptional('kysely', () => import('kysely/migration'), 'PostgreSQL')
  const { sql } = await import('kysely')
  // Each statement sees what was committed before it, whatever the database's own default is.
  const transaction = kysely.transaction().setIsolationLevel('read committed')
  await transaction.execute(async (db) => {
    await sql`SELECT pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(db)
    const provider = { getMigrations: async () => postgresMigrations }
    const { error } = await new Migrator({ db, provider }).migrateToLatest()
    if (error) throw error
  })
}
