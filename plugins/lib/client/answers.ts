import type { Account, AccountShown, ApiKey, AuthType, SignIn, TokenPair } from './account-answers.js'
import type {
  Factor,
  NewTotp,
  PasskeyOptions,
  RecoveryCodes,
  SecondFactorAsked,
  SignedInByFactor,
} from './factor-answers.js'

export type * from './account-answers.js'
export type * from './factor-answers.js'

/*
 * The answers of the user center's API. They are types only: nothing here is checked at run time.
 */

/** A success. */
export interface Answer<T = undefined> {
  /** Equals the HTTP status. */
  readonly code: number
  /** For people, in the language of `Accept-Language`: English or Chinese. */
  readonly msg: string
  readonly data: T
  /** How the caller was recognised. */
  readonly auth_type?: AuthType
}

/** A page of a list. `next` is the value of `after` for the next page; null on the last page. */
export interface Page<T> extends Answer<T> {
  readonly next: string | null
}

/** The answer to a request that was refused or failed. */
export interface ErrorAnswer {
  readonly code: number
  readonly msg: string
  /** Stable, for programs. More codes may be added. */
  readonly error: ErrorCode | (string & {})
  /** The detail, for `PASSWORD_REFUSED`. */
  readonly reason?: 'too_short' | 'too_long' | 'common' | 'like_username' | (string & {})
  /** For `SECOND_FACTOR_REQUIRED`: the pending sign-in and the possible factors. */
  readonly data?: SecondFactorAsked
}

export type ErrorCode =
  | 'API_KEY_LIMIT'
  | 'BODY_INVALID'
  | 'BODY_TOO_LARGE'
  | 'BUSY'
  | 'CODE_REFUSED'
  | 'CONTENT_TYPE_UNSUPPORTED'
  | 'CREDENTIALS_REFUSED'
  | 'CREDENTIAL_AMBIGUOUS'
  | 'CREDENTIAL_EXPIRED'
  | 'CREDENTIAL_INVALID'
  | 'CROSS_SITE'
  | 'DEVICE_PROOF_REQUIRED'
  | 'DISPLAY_NAME_INVALID'
  | 'EMAIL_INVALID'
  | 'FACTOR_LIMIT'
  | 'FACTOR_REFUSED'
  | 'FACTOR_REQUIRED'
  | 'HOST_AMBIGUOUS'
  | 'INTERNAL'
  | 'LAST_ADMIN'
  | 'MODE_REQUIRED'
  | 'NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'NOT_SIGNED_IN'
  | 'PASSWORD_REFUSED'
  | 'PREFETCH'
  | 'PROOF_INVALID'
  | 'PROOF_NONCE_REQUIRED'
  | 'REFRESH_REFUSED'
  | 'REGISTRATION_CLOSED'
  | 'RESET_REFUSED'
  | 'ROLE_REQUIRED'
  | 'SCOPE_REQUIRED'
  | 'SECOND_FACTOR_REQUIRED'
  | 'SIGNED_OUT'
  | 'SIGN_IN_TOO_OLD'
  | 'STOPPING'
  | 'STORE_UNAVAILABLE'
  | 'THROTTLED'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'USERNAME_INVALID'
  | 'USERNAME_TAKEN'

export interface User {
  readonly username: string
  readonly role: string
  /** An image, as a URL. */
  readonly avatar: string
  /** Null: show the username. */
  readonly display_name: string | null
  /** Confirmed by a code. Null: none. */
  readonly email: string | null
  /** The newest first, at most five. */
  readonly last_sign_ins: readonly LastSignIn[]
}

/** A sign-in of the account that may have ended since. Times are ISO 8601 in UTC. */
export interface LastSignIn {
  readonly auth_type: AuthType
  readonly time: string
  readonly ip: string | null
}

export interface Ended {
  /** The number of ended sign-ins. */
  readonly ended: number
}

/** A new key. Only this answer contains `key`. */
export interface NewApiKey extends Pick<ApiKey, 'id' | 'name' | 'scopes' | 'expires_at'> {
  readonly key: string
}

export interface Settings {
  readonly registration: 'open' | 'closed'
  readonly inspector: boolean
  /** Whether forgotten passwords can be reset by mail. */
  readonly mail: boolean
  /** The only origin where passkeys work. Null: the server has no passkeys. */
  readonly passkey_origin: string | null
  readonly docs: boolean
  readonly cookie_names: { readonly cookie: string; readonly session: string }
  readonly cookie_sent: boolean
  readonly refresh_sent: boolean
}

/** The answer to each success, by method and path. */
export interface Answers {
  'POST /login_cookie': Answer
  'POST /login_session': Answer
  'POST /login_token': Answer<TokenPair>
  'POST /login_factor': Answer<SignedInByFactor | undefined>
  'POST /login_passkey/options': Answer<{ readonly options: PasskeyOptions; readonly pending: string }>
  'POST /login_passkey': Answer<SignedInByFactor | undefined>
  'POST /step_up': Answer<TokenPair | undefined>
  'POST /refresh_token': Answer<TokenPair>
  'POST /logout_cookie': Answer
  'POST /logout_session': Answer
  'POST /logout_token': Answer
  'GET /user_info': Answer<User>
  'PATCH /user_info': Answer<Pick<User, 'display_name'>>
  'GET /sign_ins': Page<readonly SignIn[]>
  'DELETE /sign_ins/:id': Answer<Ended>
  'DELETE /sign_ins': Answer<Ended>
  'DELETE /accounts/:username/sign_ins': Answer<Ended>
  'POST /register': Answer<Pick<User, 'username' | 'role'>>
  'POST /password': Answer
  'POST /password/forgot': Answer
  'POST /password/reset': Answer
  'POST /email': Answer
  'POST /email/confirm': Answer<{ readonly email: string }>
  'GET /factors': Answer<readonly Factor[]>
  'PATCH /factors/:id': Answer<Factor>
  'DELETE /factors/:id': Answer
  'POST /factors/totp': Answer<NewTotp>
  'POST /factors/totp/confirm': Answer<RecoveryCodes>
  'POST /factors/recovery_codes': Answer<RecoveryCodes>
  'POST /passkeys/options': Answer<PasskeyOptions>
  'POST /passkeys/challenge': Answer<PasskeyOptions>
  'POST /passkeys': Answer<Factor & Partial<RecoveryCodes>>
  'DELETE /accounts/:username/factors': Answer<Ended & { readonly removed: number }>
  'GET /accounts': Answer<{ readonly accounts: readonly Account[]; readonly next: string | null }>
  'GET /accounts/:username': Answer<AccountShown>
  'PATCH /accounts/:username': Answer<Account>
  'POST /api_keys': Answer<NewApiKey>
  'GET /api_keys': Answer<readonly ApiKey[]>
  'DELETE /api_keys/:id': Answer<Ended>
  'GET /settings': Answer<Settings>
  'GET /healthz': Answer
  'GET /readyz': Answer
}

/** An event of `GET /live`. */
export type LiveEvent =
  /** The stream is open, or open again. It does not report earlier changes. */
  | { readonly event: 'hello'; readonly data: { readonly sign_in_id: string; readonly expires_at: string } }
  /** The list of sign-ins may have changed. */
  | { readonly event: 'sign_ins'; readonly data: unknown }
  /** The last event. It has the code with which a request would be refused. */
  | { readonly event: 'signed_out'; readonly data: { readonly error: string } }
