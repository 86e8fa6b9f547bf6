import type { Rotation, RotationResult, StateStore } from '../stores/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import { livenessOf } from './liveness.js'
import { refOfRecord } from './record.js'
import type { SealedRecords } from './sealed-records.js'

type Store = Pick<StateStore, 'feed' | 'isLive' | 'revision'>
type Records = Pick<SealedRecords, 'findGenuine' | 'rotate'>

/**
 * Rotates on terms, in one round trip: whether the sign-in is live is asked afterwards, of this process's memory. One that
 * is not never will be again, so nobody notices that it was rotated.
 *
 * While memory may not be trusted, that is a question to the store, which may have no answer: then the sign-in is only
 * read, as if it were not as the terms want it. A token that was rotated and refused with 503 would look like a stolen
 * one when it comes again.
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
