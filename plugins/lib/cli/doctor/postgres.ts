import type { PostgresPool } from 'kysely'
import type { Config } from '../../config.js'
import { readPostgresUrl } from '../../postgres/address.js'
import { checkPostgres } from '../../postgres/options.js'
import { openPool } from '../../postgres/pool.js'
import { type Finding, fault, ok, reasonOf, warning } from './check.js'

const SUBJECT = 'DATABASE_URL'
const LIMITS = checkPostgres({ max: 1 })

/** The first column of the first row, as text. */
async function ask(pool: PostgresPool, query: string): Promise<string | null> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(query, [])
    const [value] = Object.values(rows[0] ?? {})
    return value === null || value === undefined ? null : String(value)
  } finally {
    client.release()
  }
}

/** Read only: the tables are made, or brought up to date, at the next start. */
async function look(pool: PostgresPool): Promise<Finding[]> {
  const version = await ask(pool, `select current_setting('server_version')`)
  const there = ok(SUBJECT, `PostgreSQL ${version} answers.`)
  if ((await ask(pool, `select to_regclass('accounts')`)) === null) {
    return [there, warning(SUBJECT, 'There are no tables yet: the first start makes them.')]
  }
  const admins = Number(await ask(pool, `select count(*) from accounts where role = 'admin'`))
  const hint = 'There is no administrator: fastify-identity account add NAME --role admin makes one.'
  return admins > 0 ? [there] : [there, warning(SUBJECT, hint)]
}

/** Whether PostgreSQL answers, and has accounts. */
export async function checkPostgresServer({ databaseUrl }: Config): Promise<readonly Finding[]> {
  const address = databaseUrl === null ? null : readPostgresUrl(databaseUrl)
  if (address === null) return []
  try {
    const pool = await openPool(
      address,
      { ...LIMITS, silence: LIMITS.queryTimeout },
      { lost() {}, found() {} },
    )
    return await look(pool).finally(() => pool.end())
  } catch (error) {
    return [fault(SUBJECT, `PostgreSQL cannot be used: ${reasonOf(error)}`)]
  }
}
