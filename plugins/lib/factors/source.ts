export type FactorKind = 'totp' | 'passkey' | 'recovery_code'

/** A factor as a database keeps it. Times are in ms. */
export interface StoredFactor {
  /**
   * Unique among all accounts. TOTP: random. Passkey: `pk_` and the SHA-256 of its credential id. Recovery codes: `rc_` and
   * the SHA-256 of the account's id. One row holds all codes of an account.
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
   * TOTP: the time step of the last used code. Passkey: its signature counter. Recovery codes: a random number plus the
   * number of used codes. It differs for each set, so that a use of the old set cannot overwrite the new one.
   */
  readonly counter: number
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

/** The changes that one use of a factor writes. */
export interface FactorUse {
  readonly counter: number
  readonly at: number
  /** Present, with `keyId`, if the secret changes: it is sealed again, or a recovery code is spent. */
  readonly secret?: string
  readonly keyId?: string | null
}

/**
 * Keeps factors. An application with its own accounts implements it. Every operation must be atomic, also between
 * processes. A fault of the database must be thrown as STORE_UNAVAILABLE.
 */
export interface FactorSource {
  /** The account's factors, oldest first. */
  list(accountId: string): Promise<readonly StoredFactor[]>
  /** The factor of this id, of any account: a sign-in by passkey alone names no account. */
  find(id: string): Promise<StoredFactor | null>
  /**
   * Adds a factor, unless its id exists (`taken`) or its account has `cap` factors besides recovery codes (`full`).
   * Recovery codes replace the account's old row, and do not count.
   */
  add(factor: StoredFactor, cap: number): Promise<'added' | 'taken' | 'full'>
  /**
   * Writes a use if the counter is still `from`. Exactly one of several parallel callers with the same `from` gets true.
   * So a code does not work twice.
   */
  spend(accountId: string, id: string, from: number, use: FactorUse): Promise<boolean>
  /** @returns false if the account has no such factor */
  rename(accountId: string, id: string, name: string): Promise<boolean>
  /** @returns how many were removed */
  remove(accountId: string, ids: readonly string[]): Promise<number>
  /** How many secrets each key seals, by the key's id. */
  sealedBy(): Promise<ReadonlyMap<string, number>>
  /** At most `limit` factors whose secrets this key seals, always in the same order. */
  listSealedBy(keyId: string, limit: number): Promise<readonly StoredFactor[]>
  /** Replaces `secret` and `keyId` if the stored secret is still that of `factor`. Nothing else changes. */
  reseal(factor: StoredFactor, secret: string, keyId: string): Promise<boolean>
}
