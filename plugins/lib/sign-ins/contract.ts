import type { FastifyRequest } from 'fastify'
import type { CheckedAccount, MaybePromise, SignInRef } from '../contract.js'
import type { Rotation, RotationResult, SignInRecord } from '../stores/contract.js'
import type { Ending } from './ending.js'
import type { SignInsPage, SignInsQuery } from './listing.js'
import type { Marks } from './marks.js'
import type { SignInStart } from './record.js'

/** The record of every live sign-in, whatever its mode. Every method may throw STORE_UNAVAILABLE. */
export interface SignIns {
  /**
   * Stores a sign-in, then ends the one that it replaces, and the account's oldest beyond the cap. Only after
   * that may the credential go out: one that is out although its predecessor could not be ended would leave two.
   * @throws EPOCH_PASSED for an account whose epoch is below the one that was raised for it: nothing is ended then
   */
  begin(request: FastifyRequest, start: SignInStart): Promise<SignInRecord>
  /** False once the sign-in was ended, its account's epoch was raised, or the revocation list was lost. */
  isLive(ref: SignInRef): MaybePromise<boolean>
  /** See StateStore: who was live under it is live for as long as it is the same, and not -1. Asks nobody. */
  revision(): number
  find(accountId: string, id: string): Promise<SignInRecord | null>
  /** The live ones, newest first. */
  list(accountId: string): Promise<SignInRecord[]>
  /** Some of these, from the newest or from where a page ended. */
  page(accountId: string, query: SignInsQuery): Promise<SignInsPage>
  /**
   * Writes that the caller was seen, without being waited for, at most once a minute for each sign-in. Cheap
   * when that is not due. Guards call it for whom they admit, with what they know of the credential, and the time (ms).
   */
  noteSeen(caller: Pick<SignInRef, 'accountId' | 'signInId'>, marks?: Marks, now?: number): void
  /** Moves last-seen to now, and the idle limit to `idleTtl` seconds from now. */
  touch(ref: SignInRef, idleTtl: number): Promise<boolean>
  /**
   * With terms `gone` also where the sign-in is not live. Without them whether it is was asked before.
   * See RotationResult.
   */
  rotate(accountId: string, id: string, rotation: Omit<Rotation, 'now'>): Promise<RotationResult>
  /**
   * Ends one, whether or not there is a record of it: a credential whose record was lost must not live on. Hence it
   * ends **whoever's it is**, also under another account's id, for without the record nothing says whose an id is.
   *
   * Hand it a ref that comes from a genuine credential, or from a record. Where the id comes from a client, ask
   * `find(accountId, id)` first, and where that is null end nothing: ids are no secrets, and who has seen somebody
   * else's (an administrator's list, a log) could sign them out.
   *
   * Where there was a record, that is an audit event; without an `ending` the application is said to have asked for it.
   * @returns whether the account had a record of it
   */
  end(ref: Pick<SignInRef, 'accountId' | 'signInId'>, ending?: Ending): Promise<boolean>
  /**
   * Ends all that the account has now, but `except`. One that begins at the same moment counts as begun
   * after this, and lives: whoever knows the password could begin one a moment later all the same. What
   * ends those too, and with them every login under way, is a raised epoch.
   * @returns how many
   */
  endAll(accountId: string, except?: string, ending?: Ending): Promise<number>
  /**
   * Ends every sign-in of the account that began under an epoch below this one, with one write, which the
   * account's `epoch` decides and no time: those of this very moment are ended, and so is a login under way
   * whose password was verified before. `spare` is the id of a sign-in that lives on.
   *
   * The records go after that. When it throws, it may have happened or not: calling again does no harm.
   * @returns how many there were
   * @throws OPTION_INVALID for an epoch that can end nothing, STORE_UNAVAILABLE
   */
  raiseEpoch(
    account: Pick<CheckedAccount, 'id' | 'epoch'>,
    options?: { readonly spare?: string | null },
  ): Promise<number>
}
