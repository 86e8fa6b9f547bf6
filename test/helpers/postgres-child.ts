/*
 * Another process that opens the database of DATABASE_URL as soon as a line comes on its standard input, and says
 * how that went.
 */
import { once } from 'node:events'
import { openPostgres } from '../../plugins/lib/database/postgres/database.js'
import { PATIENT } from './postgres-server.js'

async function open(): Promise<string> {
  const database = await openPostgres({ databaseUrl: process.env.DATABASE_URL ?? '', pool: PATIENT })
  const accounts = await database.kysely.selectFrom('accounts').select('id').execute()
  await database.close()
  return `opened, ${accounts.length} accounts`
}

process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdout.write(`${await open().catch((error: unknown) => `${error}`)}\n`)
process.exit()
