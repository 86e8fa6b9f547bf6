import type { Kysely } from 'kysely'
import { createAccounts } from '../../accounts/accounts.js'
import { otherAdmins } from '../../accounts/admins.js'
import { passwords } from '../../accounts/passwords.js'
import { hasSeedPassword } from '../../accounts/seed.js'
import type { Tables } from '../../database/tables.js'
import { type Finding, fault, warning } from './check.js'

const NOBODY =
  'There is no administrator who can sign in. Add one: fastify-identity account add NAME --role admin'
const WELL_KNOWN =
  'holds a development account with its well known password. Use another database, or set a new password: fastify-identity account passwd NAME'

/** Changes nothing: an outdated hash is not renewed. */
const unchanging = { ...passwords, isOutdated: () => false }

/**
 * Checks whether production can run with these accounts.
 * @param subject the variable that names their database
 */
export async function checkAccounts(subject: string, db: Kysely<Tables>): Promise<readonly Finding[]> {
  const accounts = createAccounts({ db, passwords: unchanging, clock: Date.now })
  // No account has the empty id, so this finds any administrator.
  const admin = await otherAdmins(db, '').executeTakeFirst()
  return [
    ...(admin ? [] : [warning(subject, NOBODY)]),
    ...((await hasSeedPassword(accounts)) ? [fault(subject, WELL_KNOWN)] : []),
  ]
}
