import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthModes, CheckedAccount, GivenFactor, ModeName } from '../contract.js'
import type { FactorKind } from './source.js'

export type { FactorKind, FactorSource, FactorUse, StoredFactor } from './source.js'

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

export interface Resealed {
  readonly resealed: number
  /** Secrets that cannot be opened although their key is there: they were altered. */
  readonly altered: number
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
  /**
   * Seals all secrets under the first of the application's secrets, so that old ones can be removed. May be interrupted and
   * repeated. For the suite's accounts, `fastify-identity keys reseal` does the same.
   */
  resealSecrets(): Promise<Resealed>
}
