import type { MaybePromise, SignInRef } from '../contract.js'
import type { SessionRecord, SignInRecord } from './records.js'
import type { Rotation, RotationResult } from './rotation.js'

export type { RefreshState, SessionRecord, SignInRecord } from './records.js'
export type { Rotation, RotationResult, RotationTerms } from './rotation.js'

/** Says that a process no longer trusts its own copy of the revocation list, or trusts it again. */
export interface FeedChange {
  readonly kind: 'feed_lost' | 'feed_restored'
  /** Why the feed was lost, or how the copy was brought up to date. For people; names no credential. */
  readonly reason: string
}

/** Keeps a process's copy of the revocation list up to date. */
export interface Feed {
  /** Whether the copy can be trusted now. If not, every question goes to the store. */
  healthy(): boolean
  /** @returns a function that ends the subscription */
  onChange(listener: (change: FeedChange) => void): () => void
  /**
   * For metrics: a few times a second, tells how long (ms) a write of this process took to come back through the feed.
   * A revocation of another process would take as long.
   * @returns a function that ends the subscription
   */
  onBeat?(listener: (lag: number) => void): () => void
  /** For metrics: the number of revocations in the copy. */
  readonly held?: number
}

/** The revocation list. Every request asks it whether its sign-in is live. */
export interface RevocationStore {
  /**
   * The revocation list's generation, made once, together with the list. If the list is lost (flushed, evicted,
   * deleted), so is its generation, and the next one differs.
   */
  generation(): MaybePromise<number>
  /**
   * True unless the sign-in was ended, its account's epoch was raised above `ref.epoch` (and that raise did not spare
   * the sign-in), or the generation is another one. Redis: one command.
   */
  isLive(ref: SignInRef): MaybePromise<boolean>
  /**
   * The same for many sign-ins, in a few commands, and never from a copy in this process. Without this method, the
   * suite calls `isLive` for each.
   */
  areLive?(refs: readonly SignInRef[]): Promise<readonly boolean[]>
  /**
   * A number, 0 or more, that changes with each further revocation. If a sign-in was live, it is still live while this
   * number stays the same, and needs no new lookup. -1 while the store has no such number, for example because it must
   * ask another process. Leave this method out, or return -1, if `isLive` depends on more than the revocation list.
   */
  revision?(): number
  /**
   * Revokes the sign-in first, then removes its record and its session. Idempotent: it also revokes a sign-in without a
   * record, and one whose record is another account's. The revocation is kept until `until` (ms), or, if the account
   * has a record of the sign-in, until an hour after the record's absolute limit, if that is earlier.
   * @returns whether a record existed
   */
  endSignIn(accountId: string, id: string, until: number): Promise<boolean>
  /**
   * The same for every sign-in of the account on record, except `except`. With `belowEpoch`, only for those of a lower
   * epoch. Includes sign-ins past their limits, because a clock that is behind takes them for live. Ends many in
   * batches, so that some may have ended if it fails.
   * @returns the ids of those that were within their limits at `now`
   */
  endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number): Promise<string[]>
  /**
   * Refuses every credential of the account with an epoch below `epoch`, except that of the sign-in `spared`.
   * Combines by max: never lowers. Keeps the entry until `until` (ms), when everything that it refuses has expired.
   */
  raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number): Promise<void>
}

/** The records of sign-ins, for lists and for refreshing. */
export interface SignInStore {
  /**
   * Adds a sign-in. Drops those of the same account that have been past their limits for an hour at `createdAt`. Not
   * earlier: a clock that is behind takes them for live, and `endSignIns` would miss a sign-in without a record.
   * @returns the number of sign-ins within their limits then, including this one
   */
  addSignIn(record: SignInRecord): Promise<number>
  findSignIn(accountId: string, id: string, now: number): Promise<SignInRecord | null>
  /** The account's sign-ins within their limits, newest first. */
  listSignIns(accountId: string, now: number): Promise<SignInRecord[]>
  /** Moves `lastSeenAt` and `idleExpiresAt` of a sign-in forward, never back. False if it does not exist. */
  touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number): Promise<boolean>
  /** Compares the counter and sets it, in one step. See RotationResult. */
  rotateRefresh(accountId: string, id: string, rotation: Rotation): Promise<RotationResult>
  /**
   * Replaces the sign-in's seal if it is still that of `record`. Without this method, a token sign-in ends when the
   * secret under which it began leaves the ring.
   */
  resealSignIn?(record: SignInRecord, seal: string): Promise<void>
  /**
   * Sets the sign-in's binding if it has none, in one step. Of several callers, the first one decides. Without this
   * method, no sign-in can be bound to a device.
   * @param replaced a binding that may be replaced
   * @returns the record as it is then; null if there is none, or it is past its limits at `now` (ms)
   */
  settleBinding?(
    accountId: string,
    id: string,
    binding: string,
    now: number,
    replaced?: string,
  ): Promise<SignInRecord | null>
}

/** Sessions, for the session mode. */
export interface SessionStore {
  /** Create-only. False if the key is taken. */
  createSession(key: string, record: SessionRecord): Promise<boolean>
  /** The record, or null if it does not exist or is past a limit at `now`. */
  readSession(key: string, now: number): MaybePromise<SessionRecord | null>
  /**
   * Replaces an existing session with `record` if its stored version is `record.version - 1`.
   * `conflict`: another request has replaced it. `gone`: it was destroyed, and stays destroyed.
   */
  replaceSession(key: string, record: SessionRecord): Promise<'replaced' | 'conflict' | 'gone'>
  /** Moves the idle limit forward, never back, never past the absolute one, without raising the version. */
  touchSession(key: string, idleExpiresAt: number): Promise<boolean>
  destroySession(key: string): Promise<boolean>
}

/** Things that may happen once. Optional: without it, DPoP cannot be strict. */
export interface OnceStore {
  /**
   * Notes that something was used up. Of all calls with one key, also between processes, one gets true. Redis: one
   * command.
   * @param until when the key no longer matters, in ms; kept five minutes longer, because clocks differ
   * @param now in ms
   */
  spendOnce?(key: string, until: number, now: number): Promise<boolean>
}

/** For the plugin that owns the store, for health checks and metrics. */
export interface StoreUpkeep {
  readonly kind: string
  /** Present if the store answers `isLive` from a copy in this process. */
  readonly feed?: Feed
  /**
   * Calls the listener soon after this process has learned of revocations, its own or others'. One call may stand for
   * many. Without it, live connections ask twice a second.
   * @returns a function that ends the subscription
   */
  onRevoked?(listener: () => void): () => void
  /**
   * Calls the listener soon after another process has written to the store. For stores whose processes do not tell each
   * other what they have changed.
   * @returns a function that ends the subscription
   */
  onForeignWrite?(listener: () => void): () => void
  /** Resolves when the store has taken a write that changes nothing. */
  ping(): Promise<void>
  /**
   * Removes records that are past their limits at `now` (ms), unless the engine does so itself. Drops a revocation an
   * hour after its time, because on every instance it must outlive the credentials that it refuses. A shared store also
   * checks its own clock.
   */
  sweep(now: number): Promise<void>
  close(): Promise<void>
}

/**
 * Where sign-ins, sessions and revocations live. Every operation is atomic, also between processes that share the
 * store. Limits are stored times, which are compared with the argument `now`. A store's own TTLs only collect garbage.
 * Every fault is thrown as STORE_UNAVAILABLE with the driver's error as `cause`.
 */
export interface StateStore extends RevocationStore, SignInStore, SessionStore, OnceStore, StoreUpkeep {}
