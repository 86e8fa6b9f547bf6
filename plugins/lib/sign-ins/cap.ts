import type { SignInRecord, StateStore } from '../stores/contract.js'
import { revokedUntil } from '../stores/rules.js'

export const CAP = 100
/** Nobody can make use of a longer list. */
export const CAP_MAX = 10_000
/** If the cap was lowered, each login ends a part of the surplus. So no login waits until thousands have ended. */
const ENDED_AT_ONCE = 100

/**
 * Ends the account's oldest sign-ins, so that `cap` remain with the new one. The new one always stays. If several
 * begin at once, the account exceeds the cap by no more than those, until the next login.
 * @param leaving id of a sign-in that is about to be ended, and so makes room
 * @returns the ids of those that this call has ended
 */
export async function endBeyondCap(
  store: StateStore,
  { id: newest, accountId }: SignInRecord,
  leaving: string | null,
  cap: number,
  now: number,
): Promise<string[]> {
  const others = (await store.listSignIns(accountId, now)).filter(({ id }) => id !== newest && id !== leaving)
  const oldest = others.slice(cap - 1).slice(-ENDED_AT_ONCE)
  const existed = await Promise.all(
    oldest.map((record) => store.endSignIn(accountId, record.id, revokedUntil(record))),
  )
  return oldest.filter((_, index) => existed[index]).map(({ id }) => id)
}
