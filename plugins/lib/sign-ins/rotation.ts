import type { Rotation, RotationResult, StateStore } from '../stores/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import { livenessOf } from './liveness.js'
import { refOfRecord } from './record.js'
import type { SealedRecords } from './sealed-records.js'

type Store = Pick<StateStore, 'feed' | 'isLive' | 'revision'>
type Records = Pick<SealedRecords, 'findGenuine' | 'rotate'>

/**
 * Rotates on terms, in one round trip: liveness is checked afterwards, in this process's memory. A sign-in that has
 * ended never becomes live again, so its rotation does no harm.
 *
 * While memory cannot be trusted, the check is a lookup in the store, which may fail. Then the sign-in is only read, as
 * if it did not meet the terms. A token that was rotated and then refused with 503 would look stolen at its next use.
 */
export async function rotateLive(
  store: Store,
  records: Records,
  accountId: string,
  id: string,
  rotation: Rotation,
): Promise<RotationResult> {
  if (!rotation.terms) return records.rotate(accountId, id, rotation)
  const isTrusted = (store.feed?.healthy() ?? true) && livenessOf(store).revision() !== UNKNOWN_REVISION
  const result = isTrusted
    ? await records.rotate(accountId, id, rotation)
    : await readOnly(records, accountId, id, rotation.now)
  if (result.outcome === 'gone') return result
  return (await store.isLive(refOfRecord(result.signIn))) ? result : { outcome: 'gone' }
}

async function readOnly(
  records: Records,
  accountId: string,
  id: string,
  now: number,
): Promise<RotationResult> {
  const signIn = await records.findGenuine(accountId, id, now)
  return signIn ? { outcome: 'unmet', signIn } : { outcome: 'gone' }
}
