import type { FastifyRequest } from 'fastify'
import type { Audit } from '../audit.js'
import type { CheckedAccount } from '../contract.js'
import { EpochPassed, StoreUnavailable } from '../errors.js'
import type { SignInRecord, StateStore } from '../stores/contract.js'
import { CLOCK_MARGIN } from '../stores/rules.js'
import { livenessOf } from './liveness.js'
import { refOfRecord } from './record.js'

/** In seconds. No browser keeps a cookie for longer (RFC 6265bis §5.5), so no sign-in lives longer. */
export const LONGEST_TTL = 400 * 24 * 3600

export interface EpochEndingParts {
  readonly store: Pick<StateStore, 'raiseEpoch' | 'endSignIns'>
  readonly audit: Pick<Audit, 'emit'>
  /** How long a sign-in can live, in seconds. */
  readonly longestTtl: number
  /** In ms. */
  readonly now: number
}

/**
 * Until when (ms) an end is kept if the limit of its credentials is not known: as long as any sign-in can live, plus
 * the margin, because a clock that is ahead may have issued them.
 * @param longestTtl in seconds
 */
export function keptUntil(now: number, longestTtl: number): number {
  return now + longestTtl * 1000 + CLOCK_MARGIN
}

/**
 * Refuses everything that was issued to the account below its epoch, except one sign-in that is spared. Writes the
 * revocation first, so that credentials without a record are refused too.
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

/** No sign-in has this id, so no revocation names it. */
const NOBODY = '-'

const HAND_ON =
  'a sign-in was refused: its epoch is below the one that was raised for the account. Unless a change races it, verify ' +
  'and find do not hand on the raised epoch'

/**
 * Refuses a new sign-in that was never live. Otherwise the client would be told that it is signed in, and its next
 * request would be refused. Does not refuse a sign-in that was ended by its id in the meantime, because it was live.
 * @throws EPOCH_PASSED, with a warning in the log; STORE_UNAVAILABLE if the revocation list was lost meanwhile
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
