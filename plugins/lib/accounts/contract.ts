import type { AccountSource, CheckedAccount, Profile } from '../contract.js'

/** What an account of ours can be. */
export const ROLES = ['admin', 'user'] as const
export type Role = (typeof ROLES)[number]

/** Whether the text names a role. */
export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text)
}

export interface NewAccount {
  readonly username: string
  readonly password: string
  readonly role: Role
}

/** A profile that always has an epoch. */
export type OwnProfile = Profile & CheckedAccount

/** An account as an administrator sees it. Times are in ms. */
export interface AccountDetails extends OwnProfile {
  readonly disabled: boolean
  readonly createdAt: number
  readonly updatedAt: number
}

/** What an administrator may change of an account. What is left out stays. */
export interface AccountChange {
  readonly role?: Role
  readonly disabled?: boolean
}

export interface ListQuery {
  /** At most so many accounts. */
  readonly limit: number
  /** `next` of the page before. */
  readonly after?: string | null
  /** What the names begin with, in any spelling. */
  readonly username?: string
}

export interface AccountPage {
  readonly accounts: readonly AccountDetails[]
  /** What to ask for as `after` to get the next page, or null after the last one. */
  readonly next: string | null
}

/** An account whose epoch was raised, and the id of the sign-in that lives on, if any. */
export interface RaisedAccount {
  readonly account: CheckedAccount
  readonly spare: string | null
}

/**
 * The suite's own accounts. Each change that ends the account's sign-ins raises its epoch in the same
 * statement, and is answered with the new one after the state store refuses what was issued before. Where
 * that fails the change is STORE_UNAVAILABLE although it is stored (`isStored` says so of the error), and the store is
 * told until it knows.
 * All throw STORE_UNAVAILABLE on a database fault.
 */
export interface Accounts extends AccountSource {
  verify(username: string, password: string): Promise<CheckedAccount | null>
  find(id: string): Promise<OwnProfile | null>
  /**
   * Adds an account. Whether the password may be chosen is the caller's to ask (`app.passwordPolicy`).
   * @throws USERNAME_INVALID, USERNAME_TAKEN, or PASSWORD_REFUSED for one above 1024 bytes
   */
  create(account: NewAccount): Promise<OwnProfile>
  /**
   * Replaces the password if `current` is the present one, and still is when the new one is stored. Ends
   * every sign-in but the one named by `spare`.
   * @returns null when it is not, or the account is gone or disabled
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
   * Gives a role, disables or enables, and ends every sign-in of the account, also where it had the role before.
   * @returns null when there is no such account
   * @throws LAST_ADMIN when nobody would be left who is an administrator and not disabled
   */
  update(id: string, change: AccountChange): Promise<AccountDetails | null>
  /** `update` of the role alone. */
  setRole(id: string, role: Role): Promise<CheckedAccount | null>
  /** `update` of the disabled flag alone. */
  setDisabled(id: string, disabled: boolean): Promise<CheckedAccount | null>
  /** The account of that name, disabled or not. */
  findByUsername(username: string): Promise<AccountDetails | null>
  /** A page of accounts in the order of their names, from the first or from where a page ended. */
  list(query: ListQuery): Promise<AccountPage>
  count(): Promise<number>
  /** Resolves when the database has taken a write, of something that changes nothing. */
  ping(): Promise<void>
}
