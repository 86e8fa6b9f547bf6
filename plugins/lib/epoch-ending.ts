import type { Audit } from './audit.js'
import type { CheckedAccount } from './contract.js'
import type { StateStore } from './stores/contract.js'

/** The longest that a browser keeps a cookie, and so that any sign-in lives, in seconds (RFC 6265bis §5.5). */
export const LONGEST_TTL = 400 * 24 * 3600

export interface EpochEndingParts {
  readonly store: Pick<StateStore, 'raiseEpoch' | 'endSignIns'>
  readonly audit: Pick<Audit, 'emit'>
  /** How long the end of a sign-in is remembered, in seconds: as long as one can live. */
  readonly longestTtl: number
  /** In ms. */
  readonly now: number
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
  await store.raiseEpoch(id, epoch, spare, now + longestTtl * 1000)
  const { length: ended } = await store.endSignIns(id, spare, now, epoch)
  audit.emit({ type: 'epoch_raised', accountId: id, epoch, spared: spare, ended })
  return ended
}
