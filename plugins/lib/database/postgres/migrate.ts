import type { Kysely } from 'kysely'
import { loadOptional } from '../../optional.js'
import { migrationFault } from '../faults.js'
import { postgresMigrations } from '../migrations/index.js'

/** Any number, as long as every migrating process uses the same one. */
const LOCK = 7_310_471_055

/** Names need it: another encoding lacks letters, and PostgreSQL refuses a query that holds one. */
const ENCODING = 'UTF8'

async function checkEncoding<T>(db: Kysely<T>): Promise<void> {
  const { sql } = await import('kysely')
  const { rows } = await sql<{
    encoding: string
  }>`SELECT current_setting('server_encoding') AS encoding`.execute(db)
  const encoding = rows[0]?.encoding
  if (encoding !== ENCODING) throw new Error(`its encoding is ${encoding}, and must be ${ENCODING}`)
}

/** Runs the migrations that have not run yet, and then `last`, in one transaction. */
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
 * Runs the migrations that have not run yet, all or nothing: a process that is killed leaves nothing behind. If several
 * start at once, one migrates, and the others wait and find the work done. The lock ends with the transaction, so that
 * it also works behind a pooler, and nothing stays locked.
 * @throws the error of the database or of a migration
 */
export function migrate<T>(kysely: Kysely<T>): Promise<void> {
  return migrateWithin(kysely, () => {})
}

class TakenBack extends Error {}

/**
 * Migrates as `migrate` does, and rolls back.
 * @throws as `migrate` does
 */
export async function rehearseMigration<T>(kysely: Kysely<T>): Promise<void> {
  const takeBack = () => {
    throw new TakenBack()
  }
  await migrateWithin(kysely, takeBack).catch((error: unknown) => {
    if (!(error instanceof TakenBack)) throw error
  })
}
