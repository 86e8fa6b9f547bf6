import type { FastifyRequest } from 'fastify'
import type { AccountId, GivenFactor, MaybePromise, SignInRef } from '../contract.js'
import type { Rotation, RotationResult, SignInRecord } from '../stores/contract.js'
import type { Ending } from './ending.js'
import type { SignInsPage, SignInsQuery } from './listing.js'
import type { SignInStart } from './record.js'

/** Keeps the last-seen time that was stored for a sign-in, in ms. */
export interface Seen {
  seenAt: number
}

/**
 * Keeps the records of one mode outside of the state store, in a database. The state store only learns of their ends.
 * So these sign-ins survive the loss of its content. They do not count for the cap, and never end because of it.
 */
export interface RecordKeeper {
  readonly mode: string
  /** The maximum lifetime of its sign-ins, in seconds. */
  readonly longestTtl: number
  /** Whether an id has the form of its ids, which ids of the state store never have. */
  owns(id: string): boolean
  /** The record of a live sign-in of the account, or null. `generation` in it means nothing. */
  find(accountId: string, id: string, now: number): Promise<SignInRecord | null>
  /** The records of the account's live sign-ins. */
  list(accountId: string, now: number): Promise<readonly SignInRecord[]>
  /** Ends them for good. Repeating it changes nothing. */
  end(ids: readonly string[], now: number): Promise<void>
  /** See SignIns.noteSeen. */
  noteSeen(caller: Pick<SignInRef, 'signInId'>, verified: Seen | undefined, now?: number): void
}

/** The records of all live sign-ins, of all modes. Every method may throw STORE_UNAVAILABLE. */
export interface SignIns {
  /**
   * Stores a sign-in, then ends the one that it replaces, and the account's oldest beyond the cap. The mode issues the
   * credential only after that: otherwise two would live if the predecessor could not be ended.
   * @throws EPOCH_PASSED if the account's epoch is below the one that was raised for it; nothing is ended then
   */
  begin(request: FastifyRequest, start: SignInStart): Promise<SignInRecord>
  /**
   * Registers a keeper for the records of one mode. The mode calls this at boot, and begins its sign-ins with `keep`
   * and `id`.
   * @throws OPTION_INVALID if its sign-ins could live longer than their ends are remembered
   */
  addKeeper(keeper: RecordKeeper): void
  /** Whether a RecordKeeper keeps the sign-in of this id. By the id's form: no lookup. */
  isKept(id: string): boolean
  /** False once the sign-in was ended, its account's epoch was raised, or the revocation list was lost. */
  isLive(ref: SignInRef): MaybePromise<boolean>
  /** See `StateStore.revision`. No lookup. */
  revision(): number
  find(accountId: AccountId, id: string): Promise<SignInRecord | null>
  /** The live ones, newest first. */
  list(accountId: AccountId): Promise<SignInRecord[]>
  /** A page of the live ones, from the newest or from the end of another page. */
  page(accountId: AccountId, query: SignInsQuery): Promise<SignInsPage>
  /**
   * Stores when the caller was last seen, at most once a minute for each sign-in. No request waits for the write.
   * Guards call it for each admitted caller, with the cached credential, if any, and the time (ms).
   */
  noteSeen(caller: Pick<SignInRef, 'accountId' | 'signInId'>, verified?: Seen, now?: number): void
  /** Moves last-seen to now, and the idle limit to `idleTtl` seconds from now. */
  touch(ref: SignInRef, idleTtl: number): Promise<boolean>
  /**
   * With `terms`, returns `gone` for a sign-in that has ended. Without them, the caller has checked that before.
   * See RotationResult.
   */
  rotate(accountId: string, id: string, rotation: Omit<Rotation, 'now'>): Promise<RotationResult>
  /**
   * Sets the binding of a sign-in, unless it has one. Of several calls, the first one decides.
   * @param binding authenticated by the caller, because an attacker may be able to write to the store
   * @param replaced a binding that may be replaced: one to be settled, or the same one under an old key
   * @returns the record with its binding; null if the sign-in has no record any more
   */
  settleBinding(
    accountId: string,
    id: string,
    binding: string,
    replaced?: string,
  ): Promise<SignInRecord | null>
  /**
   * Adds factors to a live sign-in. A mode calls this before it issues the stronger credential. So later credentials and
   * the list of sign-ins have the factors too.
   * @param given with their times, and verified: see checkFactors
   * @param strongFrom for a mode with refresh tokens: see SignInRecord
   * @returns the record with all factors; null if the sign-in has ended, has no record, or began under version 0.1
   * @throws STORE_UNAVAILABLE also if the store has no `resealSignIn`
   */
  strengthen(
    ref: Pick<SignInRef, 'accountId' | 'signInId'>,
    given: readonly GivenFactor[],
    strongFrom?: number,
  ): Promise<SignInRecord | null>
  /**
   * Ends a sign-in, with or without a record: a credential whose record was lost must not live on. So it ends the
   * sign-in **of any account**: without the record, it cannot know whose id it is.
   *
   * Pass a ref from a verified credential or from a record. If the id comes from a client, call `find(accountId, id)`
   * first, and end nothing if that returns null. Ids are no secrets: somebody who has seen another user's id (in an
   * administrator's list or a log) could sign that user out.
   *
   * If there was a record, an audit event follows. Without an `ending`, it names the application as the actor.
   * @returns whether the account had a record of it
   */
  end(ref: { readonly accountId: AccountId; readonly signInId: string }, ending?: Ending): Promise<boolean>
  /**
   * Ends all sign-ins that the account has now, except `except`. With `except`, the sign-ins of a RecordKeeper (API
   * keys) live on as well: a person who signs out elsewhere means devices, not programs. A sign-in that begins at the
   * same moment lives on too: a person who knows the password could sign in a moment later anyway. Only a raised epoch
   * also ends such sign-ins, and every login in progress.
   * @returns how many
   */
  endAll(accountId: AccountId, except?: string, ending?: Ending): Promise<number>
  /**
   * Ends every sign-in of the account that began under a lower epoch, with one write. The account's `epoch` decides,
   * not the time. So it also ends sign-ins of this very moment, and a login in progress whose password was verified
   * before. `spare` is the id of a sign-in that lives on; one of a RecordKeeper (an API key) is never spared.
   *
   * Removes the records after that. If it throws, the write may have happened or not; it is safe to call it again.
   * @returns how many were on record
   * @throws OPTION_INVALID for an epoch that can end nothing, STORE_UNAVAILABLE
   */
  raiseEpoch(
    account: { readonly id: AccountId; readonly epoch: number },
    options?: { readonly spare?: string | null },
  ): Promise<number>
}
