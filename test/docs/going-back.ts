import { Kysely, PostgresDialect, SqliteDialect, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import Libsql from 'libsql'
import pg from 'pg'
import type { Test } from 'tap'
import { migrations, postgresMigrations } from '../../plugins/lib/database/migrations/index.js'
import { startPostgres } from '../helpers/postgres-server.js'

/* Tries the statements that lead a database back to version 0.2. */

type Migrations = Readonly<Record<string, Migration>>

/** A database without a table. */
type Open = () => Promise<Kysely<unknown>>

/** The migrations that 0.2 knows. */
const of02 = (all: Migrations): Migrations =>
  Object.fromEntries(Object.entries(all).filter(([name]) => name < '0006'))

/** As a version does that knows these. @returns the reason why it refuses the database, or undefined */
async function migrateTo(db: Kysely<unknown>, known: Migrations): Promise<unknown> {
  const provider = { getMigrations: async () => ({ ...known }) }
  const { error } = await new Migrator({ db, provider }).migrateToLatest()
  return error
}

/** The tables with their columns, without the order of the columns. */
async function shapeOf(db: Kysely<unknown>) {
  const tables = await db.introspection.getTables()
  return tables.map(({ name, columns }) => ({
    name,
    columns: columns
      .map((column) => [column.name, column.dataType, column.isNullable, column.hasDefaultValue])
      .sort(),
  }))
}

async function goesBack(t: Test, open: Open, all: Migrations, statements: string): Promise<void> {
  const [old, now] = [await open(), await open()]
  t.equal(await migrateTo(old, of02(all)), undefined)
  t.equal(await migrateTo(now, all), undefined)
  const newest = await shapeOf(now)
  t.match(await migrateTo(now, of02(all)), Error, '0.2 refuses it')
  for (const statement of statements.split(';').filter((each) => each.trim() !== ''))
    await sql.raw(statement).execute(now)
  t.equal(await migrateTo(now, of02(all)), undefined, '0.2 accepts it')
  t.strictSame(await shapeOf(now), await shapeOf(old))
  t.equal(await migrateTo(now, all), undefined, 'and this version again')
  t.strictSame(await shapeOf(now), newest)
}

export async function goesBackEmbedded(t: Test, statements: string): Promise<void> {
  const open = async () => {
    const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: new Libsql(':memory:') }) })
    t.teardown(() => db.destroy())
    return db
  }
  await goesBack(t, open, migrations, statements)
}

export async function goesBackPostgres(t: Test, statements: string): Promise<void> {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const opened: Kysely<unknown>[] = []
  const open = async () => {
    const pool = new pg.Pool({ connectionString: await server.createDatabase() })
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
    opened.push(db)
    return db
  }
  try {
    await goesBack(t, open, postgresMigrations, statements)
  } finally {
    // Before the server stops.
    for (const db of opened) await db.destroy()
  }
}
