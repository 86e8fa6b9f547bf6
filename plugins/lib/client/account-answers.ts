/* What belongs to an account, as the answers show it. Times are ISO 8601 in UTC. */

export type AuthType = 'token' | 'session' | 'cookie' | 'api_key'

export type FactorMethod = 'password' | 'totp' | 'passkey' | 'recovery_code' | 'external'

/** One sign-in of the caller. Times are ISO 8601 in UTC. */
export interface SignIn {
  readonly id: string
  readonly auth_type: AuthType
  readonly created_at: string
  readonly last_seen_at: string
  readonly expires_at: string
  readonly ip: string
  readonly user_agent: string
  /** Whether its credentials need proofs by a key of its client. */
  readonly bound: boolean
  /** The factors that its owner gave. Empty for an API key. */
  readonly factors: readonly FactorMethod[]
  /** Whether the caller uses it. */
  readonly current: boolean
}

/** An API key, without its secret. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly created_at: string
  readonly last_used_at: string | null
  readonly expires_at: string
}

export interface Account {
  readonly id: string
  readonly username: string
  readonly role: 'admin' | 'user'
  readonly disabled: boolean
  readonly created_at: string
  readonly updated_at: string
}

/** One account, with what an administrator sees of it. */
export interface AccountShown extends Account {
  readonly display_name: string | null
  readonly sign_ins: readonly SignIn[]
  readonly keys: readonly ApiKey[]
  /** The newest first, at most 50. */
  readonly events: readonly AccountEvent[]
}

/** A recent audit event of an account. Which of the optional fields it has depends on its type. */
export interface AccountEvent {
  readonly type: string
  readonly time: string
  readonly ip: string | null
  readonly auth_type?: AuthType
  readonly sign_in_id?: string | null
  readonly by?: string
  readonly actor_id?: string | null
  readonly why?: string
  readonly changed?: string
  readonly to?: string | boolean | null
  readonly role?: string
  readonly what?: string
}

export interface TokenPair {
  /** The access token. */
  readonly token: string
  /** `DPoP`: the tokens are bound to a key. */
  readonly token_type: 'Bearer' | 'DPoP'
  /** Lifetime of the access token in seconds. */
  readonly expires_in: number
  /** Missing if the refresh cookie has it. */
  readonly refresh_token?: string
  /** Seconds until the sign-in ends. A refresh does not extend it. */
  readonly refresh_expires_in: number
}
