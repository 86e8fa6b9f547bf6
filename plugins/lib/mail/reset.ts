import { apply, change } from '../accounts/changes.js'
import { voidResetTokens } from '../accounts/emails.js'
import { first, guarded, toAccount } from '../accounts/rows.js'
import { canonicalUsername } from '../accounts/usernames.js'
import type { CheckedAccount } from '../contract.js'
import { text } from '../stores/narrow.js'
import { emailKey, emailOf } from './address.js'
import type { ResetMail, ResetOffer } from './contract.js'
import type { Claimed } from './outbox.js'
import { type MailParts, SECRETS_LIMIT, TOKEN_LIFETIME } from './parts.js'
import { hashToken } from './secrets.js'

/** The account that has forgotten its password, as typed. */
export type ResetRequest = { readonly username: string } | { readonly email: string }

/** How many accounts of one address a mail can name at most. */
const OFFERS = 10

/** Nothing is looked up: the database does the same work for every name. @see AccountMail.requestReset */
export async function requestReset(
  { outbox }: MailParts,
  who: ResetRequest,
  language: string,
): Promise<void> {
  const details =
    'username' in who
      ? { by: 'canonical', key: canonicalUsername(who.username) ?? '' }
      : { by: 'email_key', key: emailKey(emailOf(who.email) ?? '') }
  await outbox.add({ kind: 'reset', accountId: null, details, language, lifetime: TOKEN_LIFETIME })
}

function detailsOf(row: Claimed) {
  const { by, key }: { by: unknown; key: unknown } = JSON.parse(row.details)
  return { by: text(by) === 'email_key' ? 'email_key' : 'canonical', key: text(key) } as const
}

/** The enabled accounts with an address, except those whose password has changed since the request. */
async function accountsOf({ outbox }: MailParts, row: Claimed) {
  const { by, key } = detailsOf(row)
  if (key === '') return []
  const query = outbox.db
    .selectFrom('accounts')
    .select(['id', 'username', 'epoch', 'email'])
    .where(by, '=', key)
    .where('email', 'is not', null)
    .where('disabled', '=', 0)
    .where('epoch_raised_at', '<', row.created_at)
    .orderBy('canonical')
    .limit(OFFERS)
  const found = await guarded(() => query.execute())
  return found.flatMap(({ email, ...account }) => (email === null ? [] : [{ ...account, email }]))
}

type Found = Awaited<ReturnType<typeof accountsOf>>[number]

async function offer({ outbox, secrets }: MailParts, row: Claimed, account: Found): Promise<ResetOffer> {
  const { id: account_id, username, epoch, email } = account
  const token = secrets.resetToken(row.id, account_id)
  const values = { hash: hashToken(token), account_id, epoch, email, expires_at: row.expires_at }
  const query = outbox.db.insertInto('reset_tokens').values(values)
  // A repeat of the mail has the same token.
  await guarded(() => query.onConflict((conflict) => conflict.column('hash').doNothing()).execute())
  return { username, token }
}

/** One mail for each spelling of the address: different letter case may be different mailboxes. */
export async function composeReset(parts: MailParts, row: Claimed): Promise<ResetMail[]> {
  const accounts = await accountsOf(parts, row)
  const [some] = accounts
  if (!some) return []
  if (!(await parts.outbox.reserve(row.id, emailKey(some.email), SECRETS_LIMIT))) return []
  const mails: ResetMail[] = []
  for (const to of new Set(accounts.map(({ email }) => email))) {
    const offers: ResetOffer[] = []
    for (const account of accounts) if (account.email === to) offers.push(await offer(parts, row, account))
    const id = mails.length === 0 ? row.id : `${row.id}.${mails.length}`
    mails.push({ kind: 'reset', id, to, language: row.language, offers, expiresAt: row.expires_at })
  }
  return mails
}

/** A genuine token that is still valid, and its account. */
export interface ResetGrant {
  readonly accountId: string
  readonly username: string
  /** The address that the token was sent to. */
  readonly email: string
  readonly epoch: number
}

/** @see AccountMail.findReset */
export async function findReset({ outbox }: MailParts, token: string): Promise<ResetGrant | null> {
  const query = outbox.db
    .selectFrom('reset_tokens')
    .innerJoin('accounts', 'accounts.id', 'reset_tokens.account_id')
    .select(['accounts.id', 'accounts.username', 'accounts.epoch', 'reset_tokens.email'])
    .where('reset_tokens.hash', '=', hashToken(token))
    .where('reset_tokens.expires_at', '>', outbox.clock())
    .whereRef('accounts.epoch', '=', 'reset_tokens.epoch')
    .whereRef('accounts.email', '=', 'reset_tokens.email')
    .where('accounts.disabled', '=', 0)
  const row = await first(query)
  return row && { accountId: row.id, username: row.username, email: row.email, epoch: row.epoch }
}

/**
 * A reset needs the epoch of its token. If a parallel reset or password change raises the epoch first, this one fails.
 * @see AccountMail.reset
 */
export async function reset(
  { context }: MailParts,
  { accountId, email, epoch }: ResetGrant,
  replacement: string,
): Promise<CheckedAccount | null> {
  const password_hash = await context.passwords.hash(replacement)
  const query = change(context, accountId, { password_hash })
    .where('epoch', '=', epoch)
    .where('email', '=', email)
    .where('disabled', '=', 0)
  const row = await apply(context, () => query.executeTakeFirst())
  if (!row) return null
  await voidResetTokens(context, accountId)
  return toAccount(row)
}
