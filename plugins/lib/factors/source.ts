export type FactorKind = 'totp' | 'passkey' | 'recovery_code'

/** A factor as a database keeps it. Times are in ms. */
export interface StoredFactor {
  /**
   * Unique among all accounts. TOTP: random. Passkey: `pk_` and the SHA-256 of its credential id. Recovery codes: `rc_` and
   * the SHA-256 of the account's id, since an account has one row for all its codes.
   */
  readonly id: string
  readonly accountId: string
  readonly kind: FactorKind
  /** Chosen by the person who added it. */
  readonly name: string
  /** TOTP: the sealed secret. Passkey: JSON of its public key. Recovery codes: JSON list of their SHA-256 hashes. */
  readonly secret: string
  /** The id of the key that seals `secret`. Null if it is not sealed. */
  readonly keyId: string | null
  /**
   * TOTP: the time step of the last used code. Passkey: its signature counter. Recovery codes: a random number plus how many
   * were used, so that new codes never look like the old ones.
   */
  readonly counter: number
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

/** What one use of a factor writes. */
export interface FactorUse {
  readonly counter: number
  readonly at: number
  /** With `keyId`, if the secret changes: re-sealed, or without a spent recovery code. */
  readonly secret?: string
  readonly keyId?: string | null
}

/**
 * Keeps factors. An application with its own accounts implements it. Every operation is atomic, also between processes.
 * Every fault is thrown as STORE_UNAVAILABLE.
 */
export interface FactorSource {
  /** The account's factors, oldest first. */
  list(accountId: string): Promise<readonly StoredFactor[]>
  /** The factor of this id: a sign-in by passkey names no account. */
  find(id: string): Promise<StoredFactor | null>
  /**
   * Adds a factor, unless its id exists (`taken`) or its account has `cap` factors besides recovery codes (`full`).
   * Recovery codes replace the account's old row, and do not count.
   */
  add(factor: StoredFactor, cap: number): Promise<'added' | 'taken' | 'full'>
  /**
   * Writes a use if the counter is still `from`. Of several callers with one `from`, exactly one gets true. This is what
   * keeps a code from working twice.
   */
  spend(accountId: string, id: string, from: number, use: FactorUse): Promise<boolean>
  /** @returns false if the account has no such factor */
  rename(accountId: string, id: string, name: string): Promise<boolean>
  /** @returns how many were removed */
  remove(accountId: string, ids: readonly string[]): Promise<number>
  /** The id of each key that seals secrets, and how many. */
  sealedBy(): Promise<ReadonlyMap<string, number>>
  /** At most `limit` factors whose secrets that key seals. */
  listSealedBy(keyId: string, limit: number): Promise<readonly StoredFactor[]>
  /** Replaces the secret, if it is still that of `factor`. Nothing else changes. */
  reseal(factor: StoredFactor, secret: string, keyId: string): Promise<boolean>
}
