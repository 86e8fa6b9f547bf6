import type { FastifyRequest } from 'fastify'
import type { AuthModes, CheckedAccount, GivenFactor, ModeName } from '../contract.js'
import type { FactorKind } from './source.js'

export type { FactorKind, FactorSource, FactorUse, StoredFactor } from './source.js'

/** A factor as the client sends it, not verified. */
export type FactorProof =
  | { readonly factor: 'totp' | 'recovery_code'; readonly code: string }
  | { readonly factor: 'passkey'; readonly response: unknown }

/** The only purpose for which a passkey's challenge is valid. */
export type ChallengePurpose = 'register' | 'login' | 'pending' | 'reset' | 'step_up'

export interface ChallengeScope {
  readonly purpose: ChallengePurpose
  /** For example the id of a sign-in, the key of a pending sign-in, or the hash of a reset token. */
  readonly subject: string
  /** Null for a sign-in by passkey alone, which names no account. */
  readonly accountId: string | null
}

/** A factor in a list. Contains no secret. Times are in ms. */
export interface FactorInfo {
  readonly id: string
  readonly kind: FactorKind
  readonly name: string
  readonly createdAt: number
  readonly lastUsedAt: number | null
  /** For recovery codes only: how many are left. */
  readonly left?: number
}

export interface Verified {
  readonly given: GivenFactor
  /** How many recovery codes are left, if one was spent. */
  readonly left?: number
}

/** A new TOTP secret. The server stores it only after a code confirms it. */
export interface NewTotp {
  /** The sealed secret, which the confirmation sends back. Valid for 10 minutes, for this account and epoch. */
  readonly id: string
  /** In base32, for people who type it. */
  readonly secret: string
  /** `otpauth://totp/…`, for a QR code. */
  readonly uri: string
}

/**
 * JSON for the browser, which converts it by `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`
 * (Web Authentication, Level 3).
 */
export type PasskeyOptions = Readonly<Record<string, unknown>>

/** The owner of a factor. Only the counters of failed attempts use the name. */
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
  /** The `memo` that the application passed to `throttle.signIn`, unchanged. Null without one. */
  readonly memo: unknown
}

export interface Resealed {
  readonly resealed: number
  /** Secrets that were altered: they cannot be opened, although their key is in the ring. */
  readonly altered: number
}

/** The second factors of accounts. All methods throw STORE_UNAVAILABLE on a fault. */
export interface Factors {
  /** The account's factors, oldest first. Recovery codes come last. */
  list(accountId: string): Promise<readonly FactorInfo[]>
  /**
   * The kinds that a sign-in accepts, in the order totp, passkey, recovery_code. Empty if the account has no second factor:
   * recovery codes alone do not count.
   */
  kinds(accountId: string): Promise<readonly FactorKind[]>
  /** Makes a TOTP secret. */
  beginTotp(account: CheckedAccount): Promise<NewTotp>
  /**
   * Adds the secret to the account if the code is right. With the first factor, the account also gets recovery codes.
   * @throws FACTOR_REFUSED, FACTOR_LIMIT, THROTTLED
   */
  confirmTotp(
    request: FastifyRequest,
    account: CheckedAccount,
    id: string,
    code: string,
    name?: string,
  ): Promise<{ readonly recoveryCodes: readonly string[] }>
  /** Makes ten recovery codes. The old ones are void. The server cannot return the codes a second time. */
  newRecoveryCodes(accountId: string, request?: FastifyRequest): Promise<readonly string[]>
  /** @returns false if the account has no such factor. @throws OPTION_INVALID for a name that `isFactorName` refuses */
  rename(accountId: string, id: string, name: string, request?: FastifyRequest): Promise<boolean>
  /** Removes a factor, and with the last one the recovery codes. @returns false if the account has no such factor */
  remove(accountId: string, id: string, request?: FastifyRequest): Promise<boolean>
  /**
   * Removes all factors, for administrators. The caller must also end the account's sign-ins.
   * @param actorId the administrator's account, for the audit event
   * @returns how many there were
   */
  reset(accountId: string, actorId?: string | null, request?: FastifyRequest): Promise<number>
  /**
   * Counts an attempt of the account, then verifies and spends the factor.
   * @returns null if the proof is wrong
   * @throws THROTTLED
   */
  verify(
    request: FastifyRequest,
    account: FactorOwner,
    proof: FactorProof,
    scope: ChallengeScope,
  ): Promise<Verified | null>
  /** Options for the browser to use one of the account's passkeys, for this purpose only. */
  challenge(scope: ChallengeScope): Promise<PasskeyOptions>
  /** Options for the browser to add a passkey. */
  beginPasskey(account: CheckedAccount, signInId: string): Promise<PasskeyOptions>
  /** @throws FACTOR_REFUSED, FACTOR_LIMIT */
  addPasskey(
    account: CheckedAccount,
    signInId: string,
    response: unknown,
    name: string,
    request?: FastifyRequest,
  ): Promise<FactorInfo & { readonly recoveryCodes: readonly string[] }>
  /** Options for a sign-in by passkey alone, and the value `pending` that the client sends back with the answer. */
  beginPasskeySignIn(
    request: FastifyRequest,
  ): Promise<{ readonly options: PasskeyOptions; readonly pending: string }>
  /**
   * Signs in by a passkey alone.
   * @returns `issued`: the result of `request.signIn`; `account`: the owner of the passkey
   * @throws FACTOR_REFUSED, THROTTLED, the errors of `request.signIn`
   */
  passkeySignIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    answer: { readonly pending: string; readonly response: unknown; readonly remember?: boolean },
  ): Promise<{ readonly issued: AuthModes[N]; readonly account: CheckedAccount }>
  /** Options for the browser to finish a pending sign-in with a passkey. @throws FACTOR_REFUSED, THROTTLED */
  challengePending(request: FastifyRequest, pending: string): Promise<PasskeyOptions>
  /**
   * Finishes a sign-in whose password was right, with its original mode and options. Only one of several parallel calls
   * succeeds.
   * @throws FACTOR_REFUSED for a wrong factor, and for a pending sign-in that is unknown, used, expired, of another browser,
   * tried five times, or older than the account's epoch; THROTTLED; the errors of `request.signIn`
   */
  finishSignIn(request: FastifyRequest, pending: string, proof: FactorProof): Promise<FinishedSignIn>
  /**
   * Seals all TOTP secrets with the first of the suite's `secrets`, so that old ones can be removed. May be interrupted and
   * repeated. For the suite's accounts, `fastify-identity keys reseal` does the same.
   */
  resealSecrets(): Promise<Resealed>
}
