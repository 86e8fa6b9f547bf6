import type { Kysely } from 'kysely'
import { loadOptional } from '../../optional.js'
import { migrationFault } from '../faults.js'
import { postgresMigrations } from '../migrations/index.js'

/** Any number will do that everybody who migrates agrees on. */
const LOCK = 7_310_471_055

/** What names and their order are made for: another encoding lacks letters, and refuses the query that holds one. */
const ENCODING = 'UTF8'

async function checkEncoding<T>(db: Kysely<T>): Promise<void> {
  const { sql } = await import('kysely')
  const { rows } = await sql<{
    encoding: string
  }>`SELECT current_setting('server_encoding') AS encoding`.execute(db)
  const encoding = rows[0]?.encoding
  if (encoding !== ENCODING) throw new Error(`its encoding is ${encoding}, and must be ${ENCODING}`)
}

/** Runs what has not run yet, and then `last`, in one transaction. */
async function migrateWithin<T>(kysely: Kysely<T>, last: () => void): Promise<void> {
  const { Migrator } = await loadOptional('kysely', () => import('kysely/migration'), 'PostgreSQL')
  const { sql } = await import('kysely')
  // Each statement sees what was committed before it, whatever the database's own default is.
  const transaction = kysely.transaction().setIsolationLevel('read committed')
  await transaction.execute(async (db) => {
    await sql`SELECT pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(db)
    await checkEncoding(db)
    const provider = { getMigrations: async () => postgresMigrations }
    const { error } = await new Migrator({ db, provider }).migrateToLatest()
    if (error) throw await migrationFault(db, postgresMigrations, error)
    last()
  })
}

/**
 * Runs what has not run yet, all of it or nothing: whoever is killed meanwhile leaves nothing behind. Of several
 * that start at once one migrates, and the others wait and find it done. The lock ends with the transaction, so
 * that it holds behind a pooler too, and nothing can be left locked.
 * @throws what the database or a migration throws
 */
export function migrate<T>(kysely: Kysely<T>): Promise<void> {
  return migrateWithin(kysely, () => {})
}

class TakenBack extends Error {}

/**
 * Does what `migrate` would do, and takes it back.
 * @throws what `migrate` would throw
 */
export async function rehearseMigration<T>(kysely: Kysely<T>): Promise<void> {
  const takeBack = () => {
    throw new TakenBack()
  }
  await migrateWithin(kysely, takeBack).catch((error: unknown) => {
    if (!(error instanceof TakenBack)) throw error
  })
}
