/**
 * What was found out about a credential that is kept, and holds for as long as what it is compared with: so that a
 * request need not look it up. The credential itself is frozen.
 */
export class Marks {
  /** Its sign-in was live under this revision of the revocation list. -1: never yet. */
  liveAt = -1
  /** When it was stored (ms) that its sign-in was seen. */
  seenAt = Number.NEGATIVE_INFINITY
}

/** How far the time that is stored as last seen may be behind, in ms. */
const COALESCE = 60_000

/**
 * Whether it is to be stored again that a sign-in was seen. Also when the clock was set back: that must not stop it until
 * the clock has caught up.
 */
export function isPast(seenAt: number, now: number): boolean {
  return Math.abs(now - seenAt) >= COALESCE
}
