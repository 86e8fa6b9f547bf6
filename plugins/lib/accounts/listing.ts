import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.js'
import type { AccountPage, ListQuery } from './contract.js'
import { guarded, SHOWN, toDetails } from './rows.js'
import { canonicalPrefix } from './usernames.js'

const NOBODY: AccountPage = Object.freeze({ accounts: [], next: null })

/** Sorts after every name with the same prefix. No name contains this noncharacter. */
const LAST = '\u{10ffff}'

/** Both databases order names by their bytes, so names with one prefix are adjacent. */
function select(db: Kysely<Tables>, limit: number, after: string | null, prefix: string) {
  const sorted = db.selectFrom('accounts').select(SHOWN).orderBy('canonical').limit(limit)
  // PostgreSQL rejects U+0000. No name contains it, so the text after it makes no difference.
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
