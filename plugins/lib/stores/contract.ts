import type { Claims, MaybePromise, SignInRef } from '../contract.js'

/** Where the counter of a sign-in's refresh token stands. No token is stored: it is derived. */
export interface RefreshState {
  /** Of the newest refresh token handed out. The first is 0. */
  readonly counter: number
  /** Id of the key under which the newest one was derived. */
  readonly keyId: string
  /** When the newest one was handed out, in ms. */
  readonly rotatedAt: number
}

/** One sign-in, whatever its mode. Times are in ms. */
export interface SignInRecord {
  readonly id: string
  readonly accountId: string
  readonly mode: string
  readonly epoch: number
  readonly generation: number
  readonly createdAt: number
  readonly lastSeenAt: number
  /** When it ends unless it is used before; `absoluteExpiresAt` where there is no idle limit. */
  readonly idleExpiresAt: number
  /** When it ends however much it is used. */
  readonly absoluteExpiresAt: number
  readonly ip: string
  readonly userAgent: string
  /** Session mode: key of the session record, to be destroyed with the sign-in. */
  readonly sessionKey: string | null
  /** Token mode. */
  readonly refresh: RefreshState | null
  /** What the application added at sign-in, for credentials issued later. In a store null, but for records of 0.1. */
  readonly claims: Claims | null
  /**
   * In a store: authenticates what never changes, and holds the claims. A store keeps it as it is: a record that comes
   * back without it is taken for an altered one.
   */
  readonly seal?: string | null
}

/** What a store keeps of a session. It cannot read `sealed`. Times are in ms. */
export interface SessionRecord {
  /** Raised by one at each replacement. The first is 1. */
  readonly version: number
  readonly sealed: string
  readonly idleExpiresAt: number
  readonly absoluteExpiresAt: number
}

/** What a sign-in must be like, so that whoever has its token rotated will not have to refuse the client after all. */
export interface RotationTerms {
  /** The least epoch that it began under. */
  readonly epoch: number
  /** When its absolute limit is at the earliest, in ms. */
  readonly endsAfter: number
  /** How long its claims may be, in bytes of JSON. A store may count more than the claims. */
  readonly claimsMax: number
}

export interface Rotation {
  /** Counter of the refresh token that the client presented (its genuineness is checked already). */
  readonly presented: number
  /** Id of the key under which a successor would be derived. */
  readonly keyId: string
  readonly now: number
  /** How long after a rotation the predecessor still gets the same successor, in ms. */
  readonly grace: number
  /** Without them every sign-in will do. */
  readonly terms?: RotationTerms
}

export type RotationResult =
  /** `presented` was the newest (or above it: the store had lost a write); its successor is `refresh`. */
  | { readonly outcome: 'rotated'; readonly signIn: SignInRecord }
  /** `presented` was the immediate predecessor, within the grace: the same successor again. */
  | { readonly outcome: 'repeated'; readonly signIn: SignInRecord }
  /** Anything older or later: theft, or a copy. Nothing was changed. */
  | { readonly outcome: 'reused'; readonly signIn: SignInRecord }
  /** The sign-in is not as the terms want it. Nothing was changed, and the token was not judged. */
  | { readonly outcome: 'unmet'; readonly signIn: SignInRecord }
  /** No such sign-in, or past its limits. */
  | { readonly outcome: 'gone' }

/** When a process could no longer trust its own copy of the revocation list, and when it can again. */
export interface FeedChange {
  readonly kind: 'feed_lost' | 'feed_restored'
  /** Why it was lost, or how it was made up for. For people, without a credential. */
  readonly reason: string
}

/** What keeps a process's copy of the revocation list up to date. */
export interface Feed {
  /** Whether the copy may be trusted now. While it is not, every question goes to the store. */
  healthy(): boolean
  /** @returns what ends the subscription */
  onChange(listener: (change: FeedChange) => void): () => void
  /**
   * For metrics: tells how long (ms) it took until what this process wrote came back through the feed, a few times a
   * second, as a revocation of another process would come.
   * @returns what ends the subscription
   */
  onBeat?(listener: (lag: number) => void): () => void
  /** For metrics: how many revocations the copy holds. */
  readonly held?: number
}

/**
 * Where sign-ins, sessions and revocations live. Every operation is atomic, also between processes that
 * share the store. Limits are stored times compared with the `now` that is handed in; a store's own TTLs
 * only collect garbage. Every fault is thrown as STORE_UNAVAILABLE with the driver's error as `cause`.
 */
export interface StateStore {
  readonly kind: string
  /** Where the store answers `isLive` from a copy in this process. */
  readonly feed?: Feed

  /**
   * The revocation list's generation: made once, together with the list. When the list is lost (flushed,
   * evicted, deleted), so is the generation, and the next one differs.
   */
  generation(): MaybePromise<number>
  /**
   * True unless the sign-in was ended, its account's epoch was raised above `ref.epoch` (and the sign-in
   * not spared by that), or the generation is another one. Redis: one command.
   */
  isLive(ref: SignInRef): MaybePromise<boolean>
  /**
   * A number, 0 or more, that is another one as soon as anything more was revoked: what was live under it is live,
   * and need not be asked for again, while it stays the same. -1 while the store knows of no such number, as one that
   * must ask elsewhere. To be left out, or -1, where `isLive` looks at more than that list, as in a store around another.
   */
  revision?(): number

  /**
   * Adds a sign-in, and drops those of the same account that have been past their limits for an hour at `createdAt`:
   * by a clock that is behind they live on, and what has no record is missed where all are ended.
   * @returns how many are within their limits then, this one included
   */
  addSignIn(record: SignInRecord): Promise<number>
  findSignIn(accountId: string, id: string, now: number): Promise<SignInRecord | null>
  /** The account's sign-ins within their limits, newest first. */
  listSignIns(accountId: string, now: number): Promise<SignInRecord[]>
  /** Moves `lastSeenAt` and `idleExpiresAt` forward, never back, of a sign-in that exists. False when it does not. */
  touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number): Promise<boolean>
  /** Compares the counter and sets it, in one step. See RotationResult. */
  rotateRefresh(accountId: string, id: string, rotation: Rotation): Promise<RotationResult>
  /**
   * Gives the sign-in another seal, unless it has another one than `record` by now. Without it a token sign-in ends when
   * the secret that it began under leaves the ring.
   */
  resealSignIn?(record: SignInRecord, seal: string): Promise<void>
  /**
   * Revokes the sign-in first, then removes its record and its session. Idempotent: a sign-in without
   * a record is revoked all the same, and so is one whose record is another account's. The revocation is kept
   * until `until` (ms) where the account has no record of it; where it has, until an hour after the record's
   * absolute limit, if that is earlier.
   * @returns whether a record existed
   */
  endSignIn(accountId: string, id: string, until: number): Promise<boolean>
  /**
   * The same for every sign-in of the account on record, but `except`; with `belowEpoch` only for those of an epoch
   * below it. Also for those past their limits: by a clock that is behind they live on. Of many, some at a time: where
   * it fails, some may have ended.
   * @returns the ids of those that were within their limits at `now`
   */
  endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number): Promise<string[]>
  /**
   * Refuses every credential of the account with an epoch below `epoch`, except that of the sign-in `spared`.
   * Combines by max: never lowers. The entry is kept until `until` (ms), when all that it refuses has expired.
   */
  raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number): Promise<void>

  /** Create-only. False when the key is taken. */
  createSession(key: string, record: SessionRecord): Promise<boolean>
  /** The record, or null when it does not exist or is past a limit at `now`. */
  readSession(key: string, now: number): MaybePromise<SessionRecord | null>
  /**
   * Replaces a session that exists with `record` if its stored version is `record.version - 1`.
   * `conflict`: somebody else replaced it meanwhile. `gone`: destroyed meanwhile, and it stays destroyed.
   */
  replaceSession(key: string, record: SessionRecord): Promise<'replaced' | 'conflict' | 'gone'>
  /** Moves the idle limit forward, never back, never past the absolute one, without raising the version. */
  touchSession(key: string, idleExpiresAt: number): Promise<boolean>
  destroySession(key: string): Promise<boolean>

  /** Resolves when the store has taken a write, of something that changes nothing. */
  ping(): Promise<void>
  /**
   * Collects what is past its limits at `now` (ms), where the engine does not by itself. A revocation goes an hour after
   * its time: it must outlive, on every instance, what it refuses. A store that is shared goes by its own clock as well.
   */
  sweep(now: number): Promise<void>
  close(): Promise<void>
}
