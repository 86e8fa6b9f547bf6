import { first } from '../accounts/rows.js'
import { number, text, textOrNull } from '../stores/narrow.js'
import { emailKey } from './address.js'
import type { NoticeKind, NoticeMail } from './contract.js'
import type { Claimed } from './outbox.js'
import { type MailParts, NOTICE_LIFETIME, NOTICES_LIMIT } from './parts.js'

/** A change that the owner of an account is told of. */
export interface Notice {
  readonly accountId: string
  readonly what: NoticeKind
  readonly language: string
  /** The client's address; null if no request caused it. */
  readonly ip: string | null
  /** Defaults to the account's verified address. */
  readonly to?: string | null
}

/** The address is read now, because the next change may replace it. @see AccountMail.notify */
export async function notify({ outbox }: Pick<MailParts, 'outbox'>, notice: Notice): Promise<void> {
  const { accountId, what, language, ip } = notice
  const query = outbox.db.selectFrom('accounts').select(['username', 'email']).where('id', '=', accountId)
  const account = await first(query)
  const to = notice.to ?? account?.email ?? null
  if (account === null || to === null) return
  const details = { what, to, username: account.username, ip }
  await outbox.add({ kind: 'notice', accountId, details, language, lifetime: NOTICE_LIFETIME })
}

const KINDS: Readonly<Record<NoticeKind, true>> = {
  password_changed: true,
  email_changed: true,
  new_device: true,
  factor_added: true,
  factor_renamed: true,
  factor_removed: true,
  factor_refused: true,
  factors_reset: true,
  passkey_cloned: true,
}

const isKind = (what: unknown): what is NoticeKind => typeof what === 'string' && Object.hasOwn(KINDS, what)

export async function composeNotice({ outbox }: MailParts, row: Claimed): Promise<NoticeMail[]> {
  const details: { readonly [name: string]: unknown } = JSON.parse(row.details)
  const { what } = details
  const [to, username, ip] = [text(details.to), text(details.username), textOrNull(details.ip)]
  if (!isKind(what) || !(await outbox.reserve(row.id, emailKey(to), NOTICES_LIMIT))) return []
  const { id, language, created_at } = row
  return [{ kind: 'notice', id, to, language, what, username, time: number(created_at), ip }]
}
