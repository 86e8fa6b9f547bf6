import { existsSync } from 'node:fs'
import type { Config } from '../../config/config.js'
import { databaseFile, loadLibsql, refuseOpenFile } from '../../database/data-dir.js'
import { fileSentence, refuseNewer } from '../../database/faults.js'
import { migrations } from '../../database/migrations/index.js'
import type { Tables } from '../../database/tables.js'
import { StoreUnavailable } from '../../errors.js'
import { checkAccounts } from './accounts.js'
import { type Finding, fault, warning } from './check.js'
import { checkFactors } from './factors.js'

const SUBJECT = 'DATA_DIR'

/** Uses a read-only connection of its own, so the server may run at the same time. */
async function look(file: string, config: Config): Promise<readonly Finding[]> {
  refuseOpenFile(file)
  const [Libsql, { Kysely, SqliteDialect }] = await Promise.all([loadLibsql(), import('kysely')])
  const connection = new Libsql(file)
  try {
    connection.pragma('query_only=ON')
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: connection }) })
    await refuseNewer(db, migrations)
    return [...(await checkAccounts(SUBJECT, db)), ...(await checkFactors(db, config))]
  } finally {
    connection.close()
  }
}

/** Checks the embedded accounts, if production would use them. */
export async function checkEmbeddedAccounts(config: Config): Promise<readonly Finding[]> {
  const { dataDir, databaseUrl } = config
  if (databaseUrl !== null) return []
  const file = databaseFile(dataDir)
  if (!existsSync(file)) return [warning(SUBJECT, 'There is no database yet: the first start creates it.')]
  try {
    return await look(file, config)
  } catch (error) {
    const cause = error instanceof StoreUnavailable ? error.cause : error
    return [fault(SUBJECT, fileSentence(file, cause))]
  }
}
