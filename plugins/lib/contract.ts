import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CheckedAccount } from './account.js'
import type { FactorMethod, GivenFactor } from './credentials/given-factors.js'

export type { Account, AccountId, AccountSource, CheckedAccount, Profile } from './account.js'
export type { FactorMethod, GivenFactor } from './credentials/given-factors.js'

/** A promise only if I/O was needed. */
export type MaybePromise<T> = T | Promise<T>

/** Milliseconds since 1970 (UTC). Injected everywhere, so that tests move time instead of sleeping. */
export type Clock = () => number

/**
 * The registered modes: a mode's name → the result of `request.signIn` with it. Each mode adds itself by declaration
 * merging, in its own file.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by declaration merging
export interface AuthModes {}

export type ModeName = keyof AuthModes & string

/** JSON that an application may add to a credential. The holder of the credential can read it. */
export type ClaimValue =
  | string
  | number
  | boolean
  | null
  | readonly ClaimValue[]
  | { readonly [name: string]: ClaimValue }
export type Claims = Readonly<Record<string, ClaimValue>>

/** The sign-in of a credential, and the counters at its issue. */
export interface SignInRef {
  readonly accountId: string
  readonly signInId: string
  readonly epoch: number
  /**
   * The generation of the revocation list. If the list is lost, the new list has another generation, and refuses older
   * credentials.
   */
  readonly generation: number
}

/** The caller, in the same form for all modes. Frozen. */
export interface Identity {
  readonly accountId: string
  readonly username: string
  readonly role: string
  /** `auth_type` on the wire. */
  readonly mode: ModeName
  readonly signInId: string
  /**
   * The time of the sign-in (OpenID Connect Core §2 `auth_time`), in ms. No renewal moves it. Absent for an API key.
   */
  readonly authTime?: number
  /**
   * The factors that the caller gave, each method once, with its time. A step-up adds to them. Absent for an API key.
   */
  readonly factors?: readonly GivenFactor[]
  /** The application's additions at sign-in. */
  readonly claims: Claims
  /** The scopes that the credential is limited to. Absent if it is not limited: only API keys are. */
  readonly scopes?: readonly string[]
}

/** Why a credential was refused. */
export type RefusalCode =
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'CREDENTIAL_EXPIRED'
  | 'CREDENTIAL_INVALID'
  | 'SIGNED_OUT'
  | 'PROOF_INVALID'
  | 'PROOF_NONCE_REQUIRED'
  | 'DEVICE_PROOF_REQUIRED'

/** A mode's answer to a request: no credential of this mode, a bad one, or a caller. */
export type Resolution =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'refused'
      readonly code: RefusalCode
      /** Headers of the answer, such as a `WWW-Authenticate` in place of the usual one. */
      readonly headers?: Readonly<Record<string, string>>
      /** The sign-in of a genuine credential that only lacks the proof of its device. A new sign-in replaces it. */
      readonly signIn?: Pick<SignInRef, 'accountId' | 'signInId'>
    }
  | { readonly kind: 'identity'; readonly identity: Identity }

/** Options of one sign-in. */
export interface SignInOptions {
  /** Keep the person signed in on this device (REMEMBER_TTL). Modes without a cookie ignore it. */
  readonly remember?: boolean
  /** Fields to carry in the credential; names of secrets are refused (`CLAIM_SENSITIVE`). */
  readonly claims?: Claims
  /**
   * The factors that the person gave. A method without a time was given now. Defaults to the password, given now. Modes
   * get each factor with its time.
   */
  readonly factors?: readonly (FactorMethod | GivenFactor)[]
  /** The sign-in that this one replaces. Set by the suite, from the request's own credential. */
  readonly replaces?: Pick<SignInRef, 'accountId' | 'signInId'>
}

/** Options of one step-up. */
export interface StepUpOptions {
  /** Token mode: the newest refresh token of the sign-in. The step-up rotates it. */
  readonly refreshToken?: string | null
}

export interface Begun<N extends ModeName = ModeName> {
  /** The result of `request.signIn`. */
  readonly issued: AuthModes[N]
  /** Null if the mode keeps no record of it. */
  readonly signIn: SignInRef | null
}

/** Lookups in a mode's cache of verified credentials since the start. */
export interface CacheCounts {
  readonly hits: number
  readonly misses: number
}

/** The times of a sign-in's record, in ms. */
export interface SignInTimes {
  readonly idleExpiresAt: number
  readonly absoluteExpiresAt: number
  /** Token mode. `rotatedAt`: when the newest refresh token was issued. */
  readonly refresh: { readonly rotatedAt: number } | null
}

/** One way to keep people signed in. */
export interface AuthMode<N extends ModeName = ModeName> {
  readonly name: N
  /** True if browsers attach the credential by themselves, so that the same-origin check applies. */
  readonly ambient: boolean
  /** The registered scheme for `WWW-Authenticate` (RFC 9110 §11.6.1), if any. */
  readonly scheme?: string
  /** More challenges for `WWW-Authenticate`, if the mode accepts several schemes. Each is complete. */
  readonly challenges?: readonly string[]
  /**
   * The same mode for guards that ask no other mode of its scheme, if that makes a difference: one of two modes that
   * read the same header can leave it to the other to find the header malformed.
   */
  readonly alone?: AuthMode<N>
  /** For metrics, if the mode keeps verified credentials. */
  readonly cache?: CacheCounts
  /**
   * Resolves the request's credential of this mode. Returns a promise only if it needs I/O.
   * @param now in ms. A caller that has already read the suite's clock passes it, because reading it takes longer than
   * finding a cookie
   * @throws CREDENTIAL_AMBIGUOUS if the request is malformed, STORE_UNAVAILABLE on a store fault
   */
  resolve(request: FastifyRequest, now?: number): MaybePromise<Resolution>
  /**
   * When the newest credential of a sign-in expires (ms), for open connections. Without this method it expires with the
   * sign-in.
   */
  endsAt?(times: SignInTimes): number
  /**
   * Throws if the mode would refuse to issue any credential to this request. Called before a password is checked, so
   * that such a request costs no attempt and tells nothing about the password.
   */
  precheck?(request: FastifyRequest): void
  /** Begins a sign-in of the account, and sends or returns its credential. */
  issue(
    request: FastifyRequest,
    reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<N>>
  /**
   * Adds the given factors to the sign-in of the request's credential. Sends or returns a credential that has them. The
   * rest of the sign-in stays. Without this method, the mode cannot be stepped up.
   * @throws SIGNED_OUT if the sign-in has ended; REFRESH_REFUSED for another sign-in's refresh token
   */
  stepUp?(
    request: FastifyRequest,
    reply: FastifyReply,
    factors: readonly GivenFactor[],
    options: StepUpOptions,
  ): Promise<AuthModes[N]>
  /**
   * Ends the sign-in of the request's credential if that is genuine, expired or not, and clears the credential from the
   * client. Resolves after the end is stored.
   * @returns whether there was a genuine credential
   */
  signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean>
  /** Removes the credential from the client, if the server can: clears the cookie. */
  clear(request: FastifyRequest, reply: FastifyReply): void
}
