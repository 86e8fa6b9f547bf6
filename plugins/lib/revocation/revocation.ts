/*
 * Revocations, in the one form that Redis, its feed and the list in memory share.
 */

/** An entry of the list and its feed (see stores/redis/revocation-scripts.ts). */
export type Revocation = readonly [member: string, score: number, keep: number | '']

export function endedSignIn(signInId: string, until: number): Revocation {
  return [endedMember(signInId), until, '']
}

/** Says that an end need not be kept beyond `until` (ms). This entry is only in the feed, never in the list. */
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
  // The spared one comes first. Otherwise a reader between the two would take the spared sign-in for ended.
  return spared === null ? [raised] : [[sparedMember(accountId, spared), -epoch, until], raised]
}

export function endedMember(signInId: string): string {
  return `s:${signInId}`
}

export function epochMember(accountId: string): string {
  return `e:${accountId}`
}

/** The length of the first part keeps the names of two pairs of ids apart. */
export function sparedMember(accountId: string, signInId: string): string {
  return `p:${accountId.length}:${accountId}:${signInId}`
}
