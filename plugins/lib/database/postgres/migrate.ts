import type { Kysely } from 'kysely'
import { migrationFault } from '../faults.js'
import { postgresMigrations } from '../migrations/index.js'

/** Any number, as long as every migrating process uses the same one. */
const LOCK = 7_310_471_055

/** In another encoding, PostgreSQL refuses a query with a letter that the encoding lacks. */
async function checkEncoding<T>(db: Kysely<T>): Promise<void> {
  const { sql } = await import('kysely')
  const query = sql<{ encoding: string }>`SELECT current_setting('server_encoding') AS encoding`
  const [row] = (await query.execute(db)).rows
  if (row?.encoding !== 'UTF8') throw new Error(`its encoding is ${row?.encoding}, and must be UTF8`)
}

/** Runs the migrations that have not run yet, and then `last`, in one transaction. */
async function migrateWithin<T>(kysely: Kysely<T>, last: () => void): Promise<void> {
  const { Migrator } = await import('kysely/migration')
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
 * Runs the migrations that have not run yet, all or nothing. If several processes start at once, one migrates, and the
 * others wait and find the work done. The lock ends with the transaction, so that it also works behind a pooler.
 * @throws the error of the database or of a migration
 */
export function migrate<T>(kysely: Kysely<T>): Promise<void> {
  return migrateWithin(kysely, () => {})
}

/** Migrates and rolls back. @throws as `migrate` does */
export async function rehearseMigration<T>(kysely: Kysely<T>): Promise<void> {
  const takenBack = new Error('rolled back')
  const takeBack = () => {
    throw takenBack
  }
  await migrateWithin(kysely, takeBack).catch((error: unknown) => {
    if (error !== takenBack) throw error
  })
}
