import type { Account, Claims } from '../contract.js'

/** An API key as a database keeps it. Nobody can make the key from it. Times are in ms. */
export interface StoredApiKey {
  /** 16 letters and digits. It is no secret, and names the sign-in. */
  readonly id: string
  readonly accountId: string
  /** Chosen by the person who made it. */
  readonly name: string
  readonly scopes: readonly string[]
  readonly claims: Claims
  /** SHA-256 of the whole key, in base64url. */
  readonly hash: string
  /** The account's epoch when the key was made. */
  readonly epoch: number
  readonly createdAt: number
  /** Up to about a minute late. Null until the first use. */
  readonly lastUsedAt: number | null
  readonly expiresAt: number
  /** When somebody ended it, or null. */
  readonly endedAt: number | null
  /** The address of the request that made it. */
  readonly ip: string
  readonly userAgent: string
}

/** A key, live or not, and its account as it is now. */
export interface FoundApiKey {
  readonly key: StoredApiKey
  /** With its current role and epoch. Null if the account is gone or disabled. */
  readonly account: Account | null
}

/**
 * Keeps API keys. They are in a database, because a machine cannot sign in again after the state store has lost its
 * content. A key is live until it has ended or expired, its account is gone or disabled, or the account's epoch is
 * above the key's. Every fault is thrown as STORE_UNAVAILABLE.
 */
export interface ApiKeySource {
  /**
   * Adds a key, unless its account has `cap` live ones at `key.createdAt`. Atomic, also between processes.
   * @returns false if the cap is reached
   */
  insert(key: StoredApiKey, cap: number): Promise<boolean>
  /** The key of this id, live or not, with its account: one query, since every request with an unknown key asks. */
  find(id: string): Promise<FoundApiKey | null>
  /** The account's live keys, newest first. */
  list(accountId: string, now: number): Promise<StoredApiKey[]>
  /** Marks keys as ended. Repeating it changes nothing. */
  end(ids: readonly string[], now: number): Promise<void>
  /** Moves `lastUsedAt` forward to `at`. Called for groups of keys, at most once a minute for each. */
  noteUse(ids: readonly string[], at: number): Promise<void>
}
