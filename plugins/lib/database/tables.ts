/** The stored row of an account. Times are in ms. */
export interface AccountRow {
  id: string
  username: string
  canonical: string
  password_hash: string
  role: string
  epoch: number
  /** The epoch below which the state store has been told to refuse credentials. */
  distributed_epoch: number
  /** The sign-in that lives on under `epoch`, though it began before. */
  spared_sign_in: string | null
  disabled: number
  avatar: string | null
  display_name: string | null
  /** The verified address, with its domain in ASCII. */
  email: string | null
  /** `email` in lower case, for lookups. */
  email_key: string | null
  /** The address that a code has yet to verify. */
  email_pending: string | null
  /** The id of the outbox row that sends the code. */
  email_change: string | null
  /** A keyed MAC of the code. Null until the mail is sent. */
  email_code: string | null
  /** The code is valid before this time, in ms. */
  email_code_until: number
  /** How often the code was tried. */
  email_code_tries: number
  /** The time of the newest epoch, in ms; 0 if it was never raised. */
  epoch_raised_at: number
  created_at: number
  updated_at: number
}

/** The stored row of an API key. Times are in ms. */
export interface ApiKeyRow {
  id: string
  account_id: string
  name: string
  /** Separated by spaces. */
  scopes: string
  /** JSON. */
  claims: string
  hash: string
  epoch: number
  created_at: number
  last_used_at: number | null
  expires_at: number
  ended_at: number | null
  ip: string
  user_agent: string
}

/** The stored row of an audit event. */
export interface AccountEventRow {
  /** Later events of one process and one millisecond have a higher id. */
  id: string
  account_id: string
  type: string
  /** In ms. */
  time: number
  ip: string | null
  /** JSON. */
  details: string
}

/** The stored row of a mail to be sent. It contains no token and no code. Times are in ms. */
export interface OutboxRow {
  /** All repeats of the mail have it in their Message-ID. */
  id: string
  kind: string
  account_id: string | null
  /** JSON: what the worker needs to compose the mail. Emptied once the mail is sent. */
  details: string
  language: string
  created_at: number
  /** The mail is dropped at this time. */
  expires_at: number
  /** Nobody may claim the row before this time. */
  due_at: number
  attempts: number
  sent_at: number | null
  /** The address that it was sent to, in lower case. */
  mailbox: string | null
}

/** The stored row of a reset token. Times are in ms. */
export interface ResetTokenRow {
  /** SHA-256 of the token, in base64url. */
  hash: string
  account_id: string
  /** The token is void under any other epoch. */
  epoch: number
  /** The token is void if the account's address is another one. */
  email: string
  expires_at: number
}

/** The stored row of a second factor. Times are in ms. */
export interface FactorRow {
  id: string
  account_id: string
  kind: string
  name: string
  /** @see StoredFactor */
  secret: string
  /** The key that seals `secret`. Null if it is not sealed. */
  key_id: string | null
  counter: number
  created_at: number
  last_used_at: number | null
}

/** The tables that kysely reads and writes. */
export interface Tables {
  accounts: AccountRow
  api_keys: ApiKeyRow
  account_events: AccountEventRow
  outbox: OutboxRow
  reset_tokens: ResetTokenRow
  factors: FactorRow
}
