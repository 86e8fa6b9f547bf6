import type { FastifyRequest } from 'fastify'
import type { Audit } from '../audit.js'
import type { CheckedAccount } from '../contract.js'
import { EpochPassed, StoreUnavailable } from '../errors.js'
import { checkWhole } from '../options.js'
import type { SignInRecord, StateStore } from '../stores/contract.js'
import { CLOCK_MARGIN } from '../stores/rules.js'
import { livenessOf } from './liveness.js'
import { refOfRecord } from './record.js'

/** The longest that a browser keeps a cookie, and so that any sign-in lives, in seconds (RFC 6265bis §5.5). */
export const LONGEST_TTL = 400 * 24 * 3600

/** Credentials start at 0: below that there is nothing to end. @throws OPTION_INVALID */
export function checkEpoch(epoch: number): void {
  checkWhole('epoch', epoch, 1)
}

export interface EpochEndingParts {
  readonly store: Pick<StateStore, 'raiseEpoch' | 'endSignIns'>
  readonly audit: Pick<Audit, 'emit'>
  /** How long a sign-in can live, in seconds. */
  readonly longestTtl: number
  /** In ms. */
  readonly now: number
}

/**
 * Until when (ms) an end is to be kept that says nothing about when what it refuses expires: as long as any sign-in can
 * live, and the margin, for what is refused may have been issued by a clock that is ahead.
 * @param longestTtl in seconds
 */
export function keptUntil(now: number, longestTtl: number): number {
  return now + longestTtl * 1000 + CLOCK_MARGIN
}

/**
 * Has everything refused that was issued to the account below its epoch, but for one sign-in that is spared.
 * The list first: what is in no record is refused as well.
 * @returns how many sign-ins were on record
 * @throws STORE_UNAVAILABLE
 */
export async function endBelowEpoch(
  { store, audit, longestTtl, now }: EpochEndingParts,
  { id, epoch }: Pick<CheckedAccount, 'id' | 'epoch'>,
  spare: string | null,
): Promise<number> {
  await store.raiseEpoch(id, epoch, spare, keptUntil(now, longestTtl))
  const { length: ended } = await store.endSignIns(id, spare, now, epoch)
  audit.emit({ type: 'epoch_raised', accountId: id, epoch, spared: spare, ended })
  return ended
}

/** An id that no sign-in has, so that nobody can have ended it. */
const NOBODY = '-'

const HAND_ON =
  'a sign-in was refused: its epoch is below the one that was raised for the account. Where no change races it, verify ' +
  'and find do not hand on the raised epoch'

/**
 * Refuses a new sign-in that is dead already: its client would be told that it is signed in, and refused with the
 * next request. One that was ended by its id meanwhile is not refused: it lived.
 * @throws EPOCH_PASSED, with a warning in the log; STORE_UNAVAILABLE where the revocation list was lost meanwhile
 */
export async function refuseDeadAtBirth(
  store: Pick<StateStore, 'generation' | 'isLive' | 'revision'>,
  request: FastifyRequest,
  record: SignInRecord,
): Promise<void> {
  const { isLive } = livenessOf(store)
  const ref = refOfRecord(record)
  if (await isLive(ref)) return
  if (await isLive({ ...ref, signInId: NOBODY })) return
  if ((await store.generation()) !== record.generation) throw new StoreUnavailable()
  const { accountId, epoch } = record
  request.log.warn({ accountId, epoch }, HAND_ON)
  throw new EpochPassed()
}
