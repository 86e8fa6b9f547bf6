import type { Context } from '../accounts/changes.js'
import type { MailboxLimit, Outbox } from './outbox.js'
import type { MailSecrets } from './secrets.js'

/** What the work on mails shares. */
export interface MailParts {
  /** Of the accounts. */
  readonly context: Context
  readonly outbox: Outbox
  readonly secrets: MailSecrets
}

/** For mails with a token or a code, whoever asks for them. */
export const SECRETS_LIMIT: MailboxLimit = { kinds: ['reset', 'email_code'], most: 5 }
/** More than these tell a mailbox nothing new. */
export const NOTICES_LIMIT: MailboxLimit = { kinds: ['notice'], most: 20 }
/** Codes that one account can ask for in an hour. */
export const ACCOUNT_LIMIT = 5
/** Tries of one code. */
export const CODE_TRIES = 5
/** How long a reset token is valid after its request, in ms. */
export const TOKEN_LIFETIME = 15 * 60_000
/** How long a code is valid, in ms. An out-of-band code may live ten minutes (OWASP ASVS 6.5.5). */
export const CODE_LIFETIME = 10 * 60_000
/** How long a notice is worth sending, in ms. */
export const NOTICE_LIFETIME = 24 * 3_600_000
