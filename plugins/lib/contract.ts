import type { FastifyReply, FastifyRequest } from 'fastify'

/** A value that is there at once where no I/O was needed, and a promise of it otherwise. */
export type MaybePromise<T> = T | Promise<T>

/** Milliseconds since 1970 (UTC). Injected everywhere, so that tests move time instead of sleeping. */
export type Clock = () => number

/**
 * The registered modes: a mode's name → what issuing its credential hands back to the route.
 * Each mode adds itself by declaration merging, in its own file.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by declaration merging
export interface AuthModes {}

export type ModeName = keyof AuthModes & string

/** JSON that an application may add to a credential. Whoever holds the credential can read it. */
export type ClaimValue =
  | string
  | number
  | boolean
  | null
  | readonly ClaimValue[]
  | { readonly [name: string]: ClaimValue }
export type Claims = Readonly<Record<string, ClaimValue>>

/** A safe integer counts as its decimal text: 7 and '7' are one account. */
export type AccountId = string | number

/** Whom a credential is issued to. `epoch` must have been read together with what was verified. */
export interface Account {
  /** Immutable, never given to another person. */
  readonly id: AccountId
  readonly username: string
  readonly role: string
  /** Counts what ended every sign-in of the account (password change, role change, disabling). 0 without. */
  readonly epoch?: number
}

/** An account whose fields were checked, and completed. */
export type CheckedAccount = Readonly<Required<Account>> & { readonly id: string }

/** An account with what a profile shows of it. */
export interface Profile extends Account {
  readonly avatar?: string
  /**
   * The sign-in that the change to this epoch left alone, if any. Without it that sign-in's refreshes are refused
   * until the change has been told to the revocation list.
   */
  readonly spared?: string | null
}

/** The two functions that the suite needs of an application's accounts. */
export interface AccountSource {
  /** The account, or null when name or password is wrong. Must cost the same either way. */
  verify(username: string, password: string): Promise<Account | null>
  /** True while `verify` would throw BUSY. Where it is there, the throttle asks it before it counts anything. */
  isBusy?(): boolean
  /** The account by its immutable id, or null when it is gone or disabled. */
  find(id: string): Promise<Profile | null>
}

/** Which sign-in a credential stands for, and the counters it was issued under. */
export interface SignInRef {
  readonly accountId: string
  readonly signInId: string
  readonly epoch: number
  /** Of the revocation list: a lost list has another one, and refuses what came before. */
  readonly generation: number
}

/** Who is asking, the same whatever the mode. Frozen. */
export interface Identity {
  readonly accountId: string
  readonly username: string
  readonly role: string
  /** The mode that recognised the caller: `auth_type` on the wire. */
  readonly mode: ModeName
  readonly signInId: string
  /** When the password was given (OpenID Connect Core §2 `auth_time`), in ms. No renewal moves it. */
  readonly authTime: number
  /** What the application added at sign-in. */
  readonly claims: Claims
}

/** Why a credential that came was not accepted. */
export type RefusalCode =
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'CREDENTIAL_EXPIRED'
  | 'CREDENTIAL_INVALID'
  | 'SIGNED_OUT'

/** What a mode makes of a request: none of mine, mine and bad, or this caller. */
export type Resolution =
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly code: RefusalCode }
  | { readonly kind: 'identity'; readonly identity: Identity }

/** Options of one sign-in. */
export interface SignInOptions {
  /** Keep the person signed in on this device (REMEMBER_TTL). Modes without a cookie ignore it. */
  readonly remember?: boolean
  /** Fields to carry in the credential; names of secrets are refused (`CLAIM_SENSITIVE`). */
  readonly claims?: Claims
  /** The sign-in that this one replaces. Set by the suite, from the request's own credential. */
  readonly replaces?: Pick<SignInRef, 'accountId' | 'signInId'>
}

/** A sign-in that a mode has begun. */
export interface Begun<N extends ModeName = ModeName> {
  /** Handed to the route that signs somebody in. */
  readonly issued: AuthModes[N]
  /** Null if the mode keeps no record of it. */
  readonly signIn: SignInRef | null
}

/** How often a mode looked a credential up in its cache of verified ones, since the start. */
export interface CacheCounts {
  /** It was there, and still valid. */
  readonly hits: number
  /** It was not: it had to be verified, or was refused. */
  readonly misses: number
}

/**
 * One way of keeping people signed in. A mode is one file that registers one of these.
 */
export interface AuthMode<N extends ModeName = ModeName> {
  readonly name: N
  /** True when a browser attaches the credential unasked, so that the same-origin check applies. */
  readonly ambient: boolean
  /** The scheme for `WWW-Authenticate` (RFC 9110 §11.6.1), where the mode has a registered one. */
  readonly scheme?: string
  /** For metrics, if the mode keeps verified credentials. */
  readonly cache?: CacheCounts
  /**
   * Who the request's credential of this mode stands for. Answers without a promise when it needs no I/O.
   * @param now in ms, where the caller has read the suite's clock already: a look at it takes longer than finding a cookie
   * @throws CREDENTIAL_AMBIGUOUS where the request is malformed, STORE_UNAVAILABLE on a store fault
   */
  resolve(request: FastifyRequest, now?: number): MaybePromise<Resolution>
  /** Starts a sign-in for the account and hands its credential to the client. */
  issue(
    request: FastifyRequest,
    reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<N>>
  /**
   * Ends the sign-in that the request's credential of this mode stands for, if it is genuine
   * (expired or not), then clears what the client holds. Answers after the end is stored.
   * @returns whether there was a genuine credential
   */
  signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean>
  /** Removes the credential from the client, if the server can: clears the cookie. */
  clear(request: FastifyRequest, reply: FastifyReply): void
}
