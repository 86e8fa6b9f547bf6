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

/** The tables that kysely reads and writes. */
export interface Tables {
  accounts: AccountRow
  api_keys: ApiKeyRow
  account_events: AccountEventRow
}
