/** What a notice tells its reader. */
export type NoticeKind =
  | 'password_changed'
  | 'email_changed'
  | 'new_device'
  /** A passkey, an authenticator app, or new recovery codes. */
  | 'factor_added'
  | 'factor_renamed'
  | 'factor_removed'
  /** Several wrong codes in a row. The person who gave them may know the password. */
  | 'factor_refused'
  /** An administrator removed all second factors. */
  | 'factors_reset'
  /** A passkey was refused, because it seems to be copied. */
  | 'passkey_cloned'

/** An account, and the token that sets a new password for it. */
export interface ResetOffer {
  readonly username: string
  /** 22 characters of base64url. It works once, until `expiresAt`. */
  readonly token: string
}

/** What every mail has. */
interface AnyMail {
  /** The same in all repeats of one mail: make the Message-ID (RFC 5322 §3.6.4) from it. */
  readonly id: string
  readonly to: string
  /** As it was passed with the request that caused the mail. */
  readonly language: string
}

/** Offers a new password. Several accounts may have one address. */
export interface ResetMail extends AnyMail {
  readonly kind: 'reset'
  readonly offers: readonly ResetOffer[]
  /** In ms. */
  readonly expiresAt: number
}

/** Verifies an address. */
export interface CodeMail extends AnyMail {
  readonly kind: 'email_code'
  readonly username: string
  /** Eight digits. */
  readonly code: string
  /** In ms. */
  readonly expiresAt: number
}

/** Tells of a change. It contains no link to a sign-in and no secret. */
export interface NoticeMail extends AnyMail {
  readonly kind: 'notice'
  readonly what: NoticeKind
  readonly username: string
  /** In ms. */
  readonly time: number
  /** The client's address; null if no request caused it. */
  readonly ip: string | null
}

export type MailMessage = ResetMail | CodeMail | NoticeMail

/**
 * Hands one mail to a mail server. A rejection means "try again": the mail is repeated after 60 seconds or more, under
 * the same id, until it is too late. An error with `permanent: true` drops the mail. The signal aborts after 45 seconds,
 * and when the application closes.
 */
export type Deliver = (message: MailMessage, signal: AbortSignal) => Promise<unknown>

export interface MailOptions {
  readonly deliver: Deliver
}
