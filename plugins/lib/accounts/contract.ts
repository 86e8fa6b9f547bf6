import type { ApiKeySource } from '../api-key/contract.js'
import type { AuditType } from '../audit.js'
import type { AccountSource, CheckedAccount, Claims, Profile } from '../contract.js'
import type { FactorSource } from '../factors/contract.js'

export const ROLES = ['admin', 'user'] as const
export type Role = (typeof ROLES)[number]

export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text)
}

export interface NewAccount {
  readonly username: string
  readonly password: string
  readonly role: Role
}

/** A profile that always has an epoch. */
export type OwnProfile = Profile &
  CheckedAccount & {
    /** The verified address. Only `find` reads it. */
    readonly email?: string
  }

/** An account as an administrator sees it. Times are in ms. */
export interface AccountDetails extends OwnProfile {
  readonly disabled: boolean
  readonly createdAt: number
  readonly updatedAt: number
}

/** The fields that an administrator may change. Omitted fields stay as they are. */
export interface AccountChange {
  readonly role?: Role
  readonly disabled?: boolean
}

export interface ListQuery {
  /** The size of the page. */
  readonly limit: number
  /** `next` of the page before. */
  readonly after?: string | null
  /** A prefix of the names, in any spelling. */
  readonly username?: string
}

export interface AccountPage {
  readonly accounts: readonly AccountDetails[]
  /** The `after` of the next page; null after the last page. */
  readonly next: string | null
}

/** An account whose epoch was raised, and the id of the sign-in that lives on, if any. */
export interface RaisedAccount {
  readonly account: CheckedAccount
  readonly spare: string | null
}

/**
 * The suite's own accounts. A change that ends the account's sign-ins raises its epoch in the same statement. It
 * resolves with the new epoch when the state store refuses all earlier credentials. If the store cannot be told, the
 * change throws STORE_UNAVAILABLE although it is stored (`isStored` recognises the error), and the store is told later.
 * All methods throw STORE_UNAVAILABLE on a database fault.
 */
export interface Accounts extends AccountSource {
  /** The accounts' API keys. */
  readonly apiKeys: ApiKeySource
  /** The accounts' second factors. */
  readonly factors: FactorSource
  verify(username: string, password: string): Promise<CheckedAccount | null>
  find(id: string): Promise<OwnProfile | null>
  /**
   * Adds an account. The caller checks the password first (`app.passwordPolicy`).
   * @throws USERNAME_INVALID, USERNAME_TAKEN, or PASSWORD_REFUSED for one above 1024 bytes
   */
  create(account: NewAccount): Promise<OwnProfile>
  /**
   * Replaces the password if `current` is right, and still is when the new one is stored. Ends every sign-in except
   * `spare`.
   * @returns null if `current` is wrong, or the account is gone or disabled
   * @throws PASSWORD_REFUSED when the new one is above 1024 bytes
   */
  changePassword(
    id: string,
    current: string,
    replacement: string,
    spare?: string | null,
  ): Promise<CheckedAccount | null>
  /**
   * Replaces the password without asking for the present one, disabled or not: for operators. Ends every sign-in.
   * @returns null when there is no such account
   * @throws PASSWORD_REFUSED when it is above 1024 bytes
   */
  setPassword(id: string, replacement: string): Promise<CheckedAccount | null>
  /** Signs the account out everywhere, and changes nothing else. @returns null when there is no such account */
  raiseEpoch(id: string): Promise<CheckedAccount | null>
  /**
   * Sets the role or the disabled flag, and ends every sign-in of the account, even if nothing changes.
   * @returns null when there is no such account
   * @throws LAST_ADMIN if no enabled administrator would be left
   */
  update(id: string, change: AccountChange): Promise<AccountDetails | null>
  /**
   * Sets the name that the account is shown by; null removes it. Ends no sign-in.
   * @returns null when there is no such account, or it is disabled
   * @throws DISPLAY_NAME_INVALID
   */
  setDisplayName(id: string, displayName: string | null): Promise<OwnProfile | null>
  /**
   * Sets the verified address without a code: for operators. Null removes it. Voids reset tokens and codes; ends no
   * sign-in.
   * @returns the previous address, or null when there is no such account
   * @throws EMAIL_INVALID
   */
  setEmail(id: string, email: string | null): Promise<{ readonly previous: string | null } | null>
  /** `update` of the role alone. */
  setRole(id: string, role: Role): Promise<CheckedAccount | null>
  /** `update` of the disabled flag alone. */
  setDisabled(id: string, disabled: boolean): Promise<CheckedAccount | null>
  /** The account of that name, disabled or not. */
  findByUsername(username: string): Promise<AccountDetails | null>
  /** A page of accounts in the order of their names, from the start or after the previous page. */
  list(query: ListQuery): Promise<AccountPage>
  count(): Promise<number>
  /** Resolves when the database has accepted a write that changes nothing. */
  ping(): Promise<void>
}

/** An audit event of an account. */
export interface AccountEvent {
  /** @see AuditType */
  readonly type: string
  /** In ms. */
  readonly time: number
  /** The client's address; null without a request. */
  readonly ip: string | null
  /** The other fields of the audit event, except `accountId`. */
  readonly details: Claims
}

export interface EventsQuery {
  /** All types by default. */
  readonly type?: AuditType
  /** Up to 50, the default. */
  readonly limit?: number
}

/** The newest audit events of each account: 50 of each type. */
export interface AccountEvents {
  /**
   * Newest first. Contains all events of this process; those of other processes may come a second later.
   * @throws STORE_UNAVAILABLE
   */
  recent(accountId: string, query?: EventsQuery): Promise<AccountEvent[]>
}
