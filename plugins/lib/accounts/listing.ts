import type { Kysely } from 'kysely'
import type { Tables } from '../database/embedded.js'
import type { AccountPage, ListQuery } from './contract.js'
import { guarded } from './queries.js'
import { SHOWN, toDetails } from './rows.js'
import { canonicalPrefix } from './usernames.js'

const NOBODY: AccountPage = Object.freeze({ accounts: [], next: null })

/** Behind every name that begins in one way. No name holds it: it stands for nothing. */
const LAST = '\u{10ffff}'

/** Names are ordered by their bytes, in both databases: what begins alike stands together. */
function select(db: Kysely<Tables>, limit: number, after: string | null, prefix: string) {
  const sorted = db.selectFrom('accounts').select(SHOWN).orderBy('canonical').limit(limit)
  // PostgreSQL takes no U+0000. No name holds one, so that what follows it makes no difference.
  const rest = after === null ? sorted : sorted.where('canonical', '>', after.replace(/\0.*/s, ''))
  if (prefix === '') return rest
  return rest.where('canonical', '>=', prefix).where('canonical', '<', prefix + LAST)
}

/** @see Accounts.list */
export async function listAccounts(db: Kysely<Tables>, query: ListQuery): Promise<AccountPage> {
  const { limit, after = null } = query
  const prefix = canonicalPrefix(query.username ?? '')
  if (prefix === null) return NOBODY
  const rows = await guarded(() => select(db, limit + 1, after, prefix).execute())
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return Object.freeze({ accounts: page.map(toDetails), next: last?.canonical ?? null })
}
