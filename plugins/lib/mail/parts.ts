import type { Context } from '../accounts/changes.js'
import type { MailboxLimit, Outbox } from './outbox.js'
import type { MailSecrets } from './secrets.js'

/** The objects that all parts of the mail code share. */
export interface MailParts {
  /** Of the accounts. */
  readonly context: Context
  readonly outbox: Outbox
  readonly secrets: MailSecrets
}

/** Mails with a token or a code to one mailbox in an hour. Requests of all clients count together. */
export const SECRETS_LIMIT: MailboxLimit = { kinds: ['reset', 'email_code'], most: 5 }
/** Notices to one mailbox in an hour. More would tell its reader nothing new. */
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
