/** A safe integer counts as its decimal text: 7 and '7' are one account. */
export type AccountId = string | number

/** The account that a credential is issued to. `epoch` must be read together with the verified password hash. */
export interface Account<Id extends AccountId = string> {
  /** Immutable, and never reused for another person. */
  readonly id: Id
  readonly username: string
  readonly role: string
  /** Raised by each change that ends all sign-ins of the account (password, role, disabling). Defaults to 0. */
  readonly epoch?: number
}

/** A checked and completed account. */
export type CheckedAccount = Readonly<Required<Account>>

export interface Profile<Id extends AccountId = string> extends Account<Id> {
  readonly avatar?: string
  /** The name to show the account by. It identifies nobody: two accounts may have the same one. */
  readonly displayName?: string
  /**
   * The sign-in that the change to this epoch did not end, if any. Without it, that sign-in's refreshes are refused
   * until the revocation list has the change.
   */
  readonly spared?: string | null
}

/** The functions that the suite needs from an application's accounts. */
export interface AccountSource<Id extends AccountId = string> {
  /** The account, or null if name or password is wrong. Must take equally long in both cases. */
  verify(username: string, password: string): Promise<Account<Id> | null>
  /** Optional. True while `verify` would throw BUSY. The throttle calls it before it counts an attempt. */
  isBusy?(): boolean
  /** The account by its immutable id, or null if it is gone or disabled. */
  find(id: string): Promise<Profile<Id> | null>
}
