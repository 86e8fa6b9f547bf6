import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthModes, CheckedAccount, GivenFactor, ModeName } from '../contract.js'

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

/** What somebody gives to prove a factor, as it came. */
export type FactorProof =
  | { readonly factor: 'totp' | 'recovery_code'; readonly code: string }
  | { readonly factor: 'passkey'; readonly response: unknown }

/** What a passkey's challenge was made for. It is good for nothing else. */
export type ChallengePurpose = 'register' | 'login' | 'pending' | 'reset' | 'step_up'

export interface ChallengeScope {
  readonly purpose: ChallengePurpose
  /** Such as the id of a sign-in or of a pending one, or the hash of a reset token. */
  readonly subject: string
  /** Null for a sign-in by passkey, which names no account. */
  readonly accountId: string | null
}

/** A factor in a list. Nothing in it helps to prove the factor. Times are in ms. */
export interface FactorInfo {
  readonly id: string
  readonly kind: FactorKind
  readonly name: string
  readonly createdAt: number
  readonly lastUsedAt: number | null
  /** How many recovery codes are left. Only recovery codes have it. */
  readonly left?: number
}

export interface Verified {
  readonly given: GivenFactor
  /** How many recovery codes are left, if one was spent. */
  readonly left?: number
}

/** A new TOTP secret. Nothing is stored before a code confirms it. */
export interface NewTotp {
  /** The sealed secret, for the confirmation. Valid for 10 minutes, for this account and epoch. */
  readonly id: string
  /** In base32, to type. */
  readonly secret: string
  /** `otpauth://totp/…`, for a QR code. */
  readonly uri: string
}

/** JSON of the options for the browser's `navigator.credentials`, as `@simplewebauthn/browser` takes it. */
export type PasskeyOptions = Readonly<Record<string, unknown>>

/** Whose factor is verified. The name is only for counters of failed attempts. */
export type FactorOwner = Pick<CheckedAccount, 'id' | 'username'>

/** What `finishSignIn` resolves with. */
export interface FinishedSignIn {
  readonly mode: ModeName
  /** The result of `request.signIn`. */
  readonly issued: AuthModes[ModeName]
  /** How many recovery codes are left, if one was spent. */
  readonly left?: number
  readonly account: CheckedAccount
  /** As typed with the password. */
  readonly username: string
  /** What the application handed to `throttle.signIn`, as it was. Null without it. */
  readonly memo: unknown
}

/** The second factors of accounts. All methods throw STORE_UNAVAILABLE on a fault. */
export interface Factors {
  /** The account's factors, oldest first. */
  list(accountId: string): Promise<readonly FactorInfo[]>
  /** The kinds that a sign-in may give. Empty if the account has no second factor: recovery codes alone are none. */
  kinds(accountId: string): Promise<readonly FactorKind[]>
  /** Makes a TOTP secret. */
  beginTotp(account: CheckedAccount): Promise<NewTotp>
  /**
   * Adds the secret to the account, if the code is right. The first factor of an account also brings recovery codes.
   * @throws FACTOR_REFUSED, FACTOR_LIMIT, THROTTLED
   */
  confirmTotp(
    request: FastifyRequest,
    account: CheckedAccount,
    id: string,
    code: string,
    name?: string,
  ): Promise<{ readonly recoveryCodes: readonly string[] }>
  /** Makes ten recovery codes. The old ones are void. This is the only time that they can be shown. */
  newRecoveryCodes(accountId: string, request?: FastifyRequest): Promise<readonly string[]>
  /** @returns false if the account has no such factor. @throws OPTION_INVALID for a name that `isFactorName` refuses */
  rename(accountId: string, id: string, name: string, request?: FastifyRequest): Promise<boolean>
  /** Removes a factor. The recovery codes go with the last other one. @returns false if the account has no such factor */
  remove(accountId: string, id: string, request?: FastifyRequest): Promise<boolean>
  /**
   * Removes all factors, for administrators. The caller also ends the account's sign-ins.
   * @param actorId the administrator's account, for the audit event
   * @returns how many there were
   */
  reset(accountId: string, actorId?: string | null, request?: FastifyRequest): Promise<number>
  /**
   * Counts the attempt for the account before it verifies, and spends the factor.
   * @returns null if the proof is wrong
   * @throws THROTTLED
   */
  verify(
    request: FastifyRequest,
    account: FactorOwner,
    proof: FactorProof,
    scope: ChallengeScope,
  ): Promise<Verified | null>
  /** Options to prove one of the account's passkeys, for that purpose alone. */
  challenge(scope: ChallengeScope): Promise<PasskeyOptions>
  /** Options to add a passkey. */
  beginPasskey(account: CheckedAccount, signInId: string): Promise<PasskeyOptions>
  /** @throws FACTOR_REFUSED, FACTOR_LIMIT */
  addPasskey(
    account: CheckedAccount,
    signInId: string,
    response: unknown,
    name: string,
  ): Promise<FactorInfo & { readonly recoveryCodes: readonly string[] }>
  /** Options for a sign-in by passkey alone, and the pending value that goes with the answer. */
  beginPasskeySignIn(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<{ readonly options: PasskeyOptions; readonly pending: string }>
  /** Signs in by a passkey alone. @throws FACTOR_REFUSED, THROTTLED */
  passkeySignIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    answer: { readonly pending: string; readonly response: unknown; readonly remember?: boolean },
  ): Promise<AuthModes[N]>
  /** Options to prove a passkey of a pending sign-in's account. @throws FACTOR_REFUSED, THROTTLED */
  challengePending(request: FastifyRequest, pending: string): Promise<PasskeyOptions>
  /**
   * Finishes a sign-in whose password was right, with the mode and the options that it began with. Of several calls, one
   * succeeds.
   * @throws FACTOR_REFUSED for a wrong factor, and for a pending sign-in that is unknown, used, expired, of another browser,
   * tried five times, or older than a change of the account's epoch; THROTTLED; what `request.signIn` throws
   */
  finishSignIn(request: FastifyRequest, pending: string, proof: FactorProof): Promise<FinishedSignIn>
}
