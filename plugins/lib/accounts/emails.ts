import { EmailInvalid } from '../errors.js'
import { emailKey, emailOf } from '../mail/address.js'
import type { Context } from './changes.js'
import { first, guarded, WITHOUT_EMAIL } from './rows.js'

/**
 * Voids all reset tokens of an account. A token names the address that it was sent to. If the account got this address
 * back, the token would be valid again.
 */
export async function voidResetTokens({ db }: Pick<Context, 'db'>, accountId: string): Promise<void> {
  const query = db.deleteFrom('reset_tokens').where('account_id', '=', accountId)
  await guarded(() => query.execute())
}

/** @throws EMAIL_INVALID */
function columnsOf(typed: string | null) {
  if (typed === null) return WITHOUT_EMAIL
  const email = emailOf(typed)
  if (email === null) throw new EmailInvalid()
  return { ...WITHOUT_EMAIL, email, email_key: emailKey(email) }
}

/** Compare-and-set: the function returns exactly the address that it has replaced. @see Accounts.setEmail */
export async function setEmail(
  context: Pick<Context, 'db' | 'clock'>,
  id: string,
  typed: string | null,
): Promise<{ previous: string | null } | null> {
  const { db, clock } = context
  const columns = columnsOf(typed)
  const stored = await first(db.selectFrom('accounts').select('email').where('id', '=', id))
  if (!stored) return null
  const { email: previous } = stored
  const query = db
    .updateTable('accounts')
    .set({ ...columns, updated_at: clock() })
    .where('id', '=', id)
    .where('email', previous === null ? 'is' : '=', previous)
  if (!(await first(query.returning('id')))) return setEmail(context, id, typed)
  await voidResetTokens(context, id)
  return { previous }
}
