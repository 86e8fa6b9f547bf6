import type { Kysely } from 'kysely'
import { createAccounts } from '../../accounts/accounts.js'
import { otherAdmins } from '../../accounts/admins.js'
import { passwords } from '../../accounts/passwords.js'
import { hasSeedPassword } from '../../accounts/seed.js'
import type { Tables } from '../../database/embedded.js'
import { type Finding, fault, warning } from './check.js'

const NOBODY =
  'There is no administrator who can sign in: fastify-identity account add NAME --role admin makes one.'
const WELL_KNOWN =
  'holds a development account with its well known password: use another place, or give it a new one with fastify-identity account passwd NAME.'

/** Nothing is changed: a hash that is due stays as it is. */
const unchanging = { ...passwords, isOutdated: () => false }

/**
 * Whether production can be run with these accounts.
 * @param subject the variable that leads to them
 */
export async function checkAccounts(subject: string, db: Kysely<Tables>): Promise<readonly Finding[]> {
  const accounts = createAccounts({ db, passwords: unchanging, clock: Date.now })
  // No account has that id: every administrator is another one.
  const admin = await otherAdmins(db, '').executeTakeFirst()
  return [
    ...(admin ? [] : [warning(subject, NOBODY)]),
    ...((await hasSeedPassword(accounts)) ? [fault(subject, WELL_KNOWN)] : []),
  ]
}
