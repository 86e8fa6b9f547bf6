import type { Kysely } from 'kysely'
import { voidResetTokens } from '../accounts/emails.js'
import { first, guarded, NO_PENDING_EMAIL } from '../accounts/rows.js'
import type { OutboxRow, Tables } from '../database/tables.js'
import { EmailInvalid, Throttled } from '../errors.js'
import { emailKey, emailOf } from './address.js'
import type { CodeMail } from './contract.js'
import { CLAIM, type Claimed, REMEMBERED } from './outbox.js'
import { ACCOUNT_LIMIT, CODE_LIFETIME, CODE_TRIES, type MailParts, SECRETS_LIMIT } from './parts.js'

const COLUMNS = [
  ...(['id', 'kind', 'account_id', 'details', 'language', 'created_at', 'expires_at'] as const),
  ...(['due_at', 'attempts', 'sent_at', 'mailbox'] as const),
] as const

/** Adds the row if the account has asked for fewer codes within the last hour. In one statement. */
async function insertBelowLimit(db: Kysely<Tables>, row: OutboxRow): Promise<boolean> {
  const asked = db
    .selectFrom('outbox')
    .select((rows) => rows.fn.countAll<number>().as('total'))
    .where('account_id', '=', row.account_id)
    .where('kind', '=', row.kind)
    .where('created_at', '>', row.created_at - REMEMBERED)
  const values = db.selectNoFrom((from) => COLUMNS.map((name) => from.val(row[name]).as(name)))
  const query = db
    .insertInto('outbox')
    .columns(COLUMNS)
    .expression(values.where(({ eb }) => eb(asked, '<', ACCOUNT_LIMIT)))
  return (await query.returning('id').executeTakeFirst()) !== undefined
}

/** Adds the row as claimed, so that no worker sends its mail before the account names the row. Then releases it. */
async function ask(db: Kysely<Tables>, row: OutboxRow, email: string): Promise<void> {
  if (!(await insertBelowLimit(db, { ...row, due_at: row.due_at + CLAIM }))) {
    throw new Throttled(Math.ceil(REMEMBERED / 1000))
  }
  await db
    .updateTable('accounts')
    .set({
      ...NO_PENDING_EMAIL,
      email_pending: email,
      email_change: row.id,
      email_code_until: row.expires_at,
    })
    .where('id', '=', String(row.account_id))
    .where('disabled', '=', 0)
    .execute()
  await db.updateTable('outbox').set({ due_at: row.due_at }).where('id', '=', row.id).execute()
}

/** On PostgreSQL, two requests of one account wait for each other, so that both count. */
async function askAlone(db: Kysely<Tables>, row: OutboxRow, email: string): Promise<void> {
  if (!db.getExecutor().adapter.supportsMultipleConnections) return ask(db, row, email)
  await db.transaction().execute(async (transaction) => {
    const account = transaction.selectFrom('accounts').select('id').where('id', '=', String(row.account_id))
    await account.forUpdate().execute()
    await ask(transaction, row, email)
  })
}

/** @see AccountMail.requestAddress */
export async function requestAddress(
  { outbox }: MailParts,
  accountId: string,
  typed: string,
  language: string,
): Promise<void> {
  const email = emailOf(typed)
  if (email === null) throw new EmailInvalid()
  const mail = { kind: 'email_code', accountId, details: {}, language, lifetime: CODE_LIFETIME } as const
  const row = outbox.newRow(mail)
  const throttled: unknown[] = []
  await guarded(async () => {
    await askAlone(outbox.db, row, email).catch((error: unknown) => {
      if (!(error instanceof Throttled)) throw error
      throttled.push(error)
    })
  })
  if (throttled.length > 0) throw throttled[0]
}

/** A mail with the code. None if another request has replaced this one. */
export async function composeCode({ outbox, secrets }: MailParts, row: Claimed): Promise<CodeMail[]> {
  const code = secrets.code(row.id)
  const query = outbox.db
    .updateTable('accounts')
    .set({ email_code: secrets.hashCode(row.id, code) })
    .where('id', '=', String(row.account_id))
    .where('email_change', '=', row.id)
    .where('disabled', '=', 0)
    .returning(['username', 'email_pending'])
  const account = await guarded(() => query.executeTakeFirst())
  if (!account?.email_pending) return []
  const { username, email_pending: to } = account
  if (!(await outbox.reserve(row.id, emailKey(to), SECRETS_LIMIT))) return []
  const { id, language, expires_at: expiresAt } = row
  return [{ kind: 'email_code', id, to, language, username, code, expiresAt }]
}

export interface ConfirmedAddress {
  readonly email: string
  /** The address that was verified before, or null. */
  readonly previous: string | null
}

/** @see AccountMail.confirmAddress */
export async function confirmAddress(
  { outbox, secrets }: MailParts,
  accountId: string,
  code: string,
): Promise<ConfirmedAddress | null> {
  const { db, clock } = outbox
  // Counts the try before it checks the code, so that parallel tries cannot exceed the limit.
  const counting = db
    .updateTable('accounts')
    .set((row) => ({ email_code_tries: row('email_code_tries', '+', 1) }))
    .where('id', '=', accountId)
    .where('disabled', '=', 0)
    .where('email_code_tries', '<', CODE_TRIES)
    .where('email_code_until', '>', clock())
    .returning(['email', 'email_pending', 'email_change', 'email_code'])
  const tried = await guarded(() => counting.executeTakeFirst())
  if (!tried?.email_pending || !tried.email_change || !tried.email_code) return null
  if (!secrets.matchesCode(tried.email_change, code, tried.email_code)) return null
  const { email, email_pending: confirmed } = tried
  const confirming = db
    .updateTable('accounts')
    .set({ ...NO_PENDING_EMAIL, email: confirmed, email_key: emailKey(confirmed), updated_at: clock() })
    .where('id', '=', accountId)
    .where('email_change', '=', tried.email_change)
    .where('disabled', '=', 0)
    .returning('id')
  if (!(await first(confirming))) return null
  await voidResetTokens(outbox, accountId)
  return { email: confirmed, previous: email }
}
