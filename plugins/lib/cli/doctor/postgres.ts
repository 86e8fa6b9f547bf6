import type { Kysely } from 'kysely'
import type { Config } from '../../config/config.js'
import { readPostgresUrl } from '../../database/postgres/address.js'
import { connect } from '../../database/postgres/database.js'
import { rehearseMigration } from '../../database/postgres/migrate.js'
import { checkPostgres } from '../../database/postgres/options.js'
import type { Tables } from '../../database/tables.js'
import { checkAccounts } from './accounts.js'
import { type Finding, fault, ok, reasonOf, warning } from './check.js'
import { checkFactors } from './factors.js'

const SUBJECT = 'DATABASE_URL'
const LIMITS = checkPostgres({ max: 1 })

interface Server {
  readonly version: string
  /** Whether the tables exist in the schema in which new ones would be created. */
  readonly hasAccounts: boolean
  readonly isReadOnly: boolean
}

async function ask(db: Kysely<Tables>): Promise<Server> {
  const { sql } = await import('kysely')
  const { rows } = await sql<Server>`SELECT current_setting('server_version') AS version,
    to_regclass('accounts') IS NOT NULL AS "hasAccounts",
    current_setting('transaction_read_only') = 'on' AS "isReadOnly"`.execute(db)
  const [server] = rows
  if (!server) throw new Error('its answer is empty')
  return server
}

/** Rehearses the migration and rolls it back: the next start makes or updates the tables. */
async function look(db: Kysely<Tables>, config: Config): Promise<readonly Finding[]> {
  const { version, hasAccounts, isReadOnly } = await ask(db)
  const there = ok(SUBJECT, `PostgreSQL ${version} answers.`)
  if (isReadOnly)
    return [there, fault(SUBJECT, 'It takes no writes: it is a standby, or is set to read only.')]
  await rehearseMigration(db)
  if (!hasAccounts) return [there, warning(SUBJECT, 'There are no tables yet: the first start creates them.')]
  return [there, ...(await checkAccounts(SUBJECT, db)), ...(await checkFactors(db, config))]
}

/** Checks that PostgreSQL answers, accepts a start's migration, and has accounts. */
export async function checkPostgresServer(config: Config): Promise<readonly Finding[]> {
  const { databaseUrl } = config
  const address = databaseUrl === null ? null : readPostgresUrl(databaseUrl)
  if (address === null) return []
  try {
    const db = await connect<Tables>(address, { ...LIMITS, silence: LIMITS.queryTimeout })
    return await look(db, config).finally(() => db.destroy())
  } catch (error) {
    return [fault(SUBJECT, `PostgreSQL cannot be used: ${reasonOf(error)}`)]
  }
}
