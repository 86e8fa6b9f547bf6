import type { Kysely } from 'kysely'
import { ConfigInvalid } from '../errors.js'

/* The messages of a start that cannot use its database. None repeats a URL, which may hold a password. */

/** The tables were made by a newer version. */
export class NewerSchema extends Error {
  /** @param migration a name that only the newer version knows */
  constructor(migration: string) {
    super(`it was made by a newer version of fastify-identity (${migration})`)
  }
}

/** The file is shorter than what was written to it. */
export class FileTruncated extends Error {
  constructor() {
    super('the file is empty, and its log is not')
  }
}

type Migrations = Readonly<Record<string, unknown>>

/**
 * Refuses a database that has run a migration which this version does not know.
 * @throws NewerSchema, or the error of a database that was never migrated
 */
export async function refuseNewer<T>(db: Kysely<T>, known: Migrations): Promise<void> {
  // Imported here, so that importing the suite does not load kysely.
  const { sql } = await import('kysely')
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration`.execute(db)
  const newer = rows.find(({ name }) => !Object.hasOwn(known, name))
  if (newer) throw new NewerSchema(newer.name)
}

/** Why migrating failed: NewerSchema if that is the reason, else the error itself. */
export async function migrationFault<T>(db: Kysely<T>, known: Migrations, error: unknown): Promise<unknown> {
  try {
    await refuseNewer(db, known)
    return error
  } catch (second) {
    // If the table cannot be read, the first error says more.
    return second instanceof NewerSchema ? second : error
  }
}

/** A system error's code, or SQLite's, which may be a longer one that begins with it. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

const DAMAGED = /^SQLITE_(NOTADB|CORRUPT)/
const BUSY = /^SQLITE_(BUSY|LOCKED)/
const UNWRITABLE = /^(E[A-Z]+|SQLITE_(READONLY|CANTOPEN|FULL|IOERR|PERM|AUTH)\w*)$/

/** Whether another process has the file locked. */
export const isBusy = (error: unknown): boolean => BUSY.test(codeOf(error))

/** Says what is wrong with a file, and how to fix it. */
export function fileSentence(file: string, error: unknown): string {
  const code = codeOf(error)
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof NewerSchema)
    return `${file} cannot be used, because ${reason}: run that version, or use another directory.`
  if (error instanceof FileTruncated || DAMAGED.test(code))
    return `${file} is damaged, or is no database: restore it from a backup, or move it away to begin with an empty one.`
  if (isBusy(error))
    return `${file} is locked by another process: stop that process, or use another directory.`
  if (UNWRITABLE.test(code))
    return `${file} cannot be written (${reason}): free some space, let this user write there, or use another directory.`
  return `${file} cannot be used (${reason}): restore it from a backup, or use another directory.`
}

/** CONFIG_INVALID for a file of the data directory. The error is the cause. */
export function fileFault(file: string, error: unknown): Error {
  return new ConfigInvalid(`DATA_DIR: ${fileSentence(file, error)}`, { cause: error })
}
