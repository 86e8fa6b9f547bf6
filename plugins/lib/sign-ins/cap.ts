import { checkWhole } from '../options.js'
import type { SignInRecord, StateStore } from '../stores/contract.js'
import { revokedUntil } from '../stores/rules.js'

/** More than this no list shows to anybody's use. */
export const CAP_MAX = 10_000
/** A cap that was lowered is reached login by login: none waits for thousands to be ended. */
const ENDED_AT_ONCE = 100

/** @throws OPTION_INVALID */
export function checkCap(cap: number): number {
  return checkWhole('cap', cap, 1, CAP_MAX)
}

/**
 * Ends the account's oldest sign-ins, so that with the new one there are `cap`. The new one stays, however many
 * begin at once: then there may be more for a moment, by no more than those, and the next login sees to it.
 * @param leaving id of one that is about to be ended anyway, and makes room by that
 * @returns the ids of those that were there to be ended
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
