import type { Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../plugins/lib/database/postgres/database.js'
import { type PostgresServer, startPostgres } from './postgres-server.js'

/** The settings of a user center on one of the databases, with no account in it. */
export type DatabaseEnv = Record<string, string>

/** The tables of a running user center. */
export async function openTables(t: Test, { DATABASE_URL: databaseUrl }: DatabaseEnv, dataDir: string) {
  const opening = databaseUrl ? openPostgres({ databaseUrl }) : openDatabase(databaseFile(dataDir))
  const { kysely, close } = await opening
  t.teardown(close)
  return kysely
}

export type DatabaseTest = (name: string, work: (t: Test, env: DatabaseEnv) => Promise<void>) => void

/** Tests of a file that must hold for accounts in SQLite and in PostgreSQL. */
export function onDatabases(file: Test): DatabaseTest {
  let server: Promise<PostgresServer> | undefined
  const startServer = async () => {
    const started = await startPostgres()
    file.teardown(() => started.stop())
    return started
  }
  return (name, work) => {
    void file.test(name, async (t) => {
      await t.test('SQLite', (t) => work(t, {}))
      await t.test('PostgreSQL', async (t) => {
        server ??= startServer()
        await work(t, { DATABASE_URL: await (await server).createDatabase() })
      })
    })
  }
}
