/*
 * What a store refuses, in the one form in which Redis holds it, its feed tells it, and memory takes it in.
 */

/** Something to refuse, as the list and its feed hold it (see redis-revocation-scripts.ts). */
export type Revocation = readonly [member: string, score: number, keep: number | '']

export function endedSignIn(signInId: string, until: number): Revocation {
  return [endedMember(signInId), until, '']
}

/** That an ended sign-in need not be kept beyond `until` (ms). Of the feed alone: it is never in the list. */
export function shortenedEnd(signInId: string, until: number): Revocation {
  return [`c:${signInId}`, until, '']
}

export function raisedEpoch(
  accountId: string,
  epoch: number,
  spared: string | null,
  until: number,
): Revocation[] {
  const raised: Revocation = [epochMember(accountId), -epoch, until]
  // First, so that nobody who reads one after the other takes the spared for ended.
  return spared === null ? [raised] : [[sparedMember(accountId, spared), -epoch, until], raised]
}

export function endedMember(signInId: string): string {
  return `s:${signInId}`
}

export function epochMember(accountId: string): string {
  return `e:${accountId}`
}

/** With the length of the first part, no two pairs of ids make one name. */
export function sparedMember(accountId: string, signInId: string): string {
  return `p:${accountId.length}:${accountId}:${signInId}`
}
