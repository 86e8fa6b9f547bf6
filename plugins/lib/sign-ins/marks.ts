/**
 * Facts about a verified credential in memory, so that a request need not look them up. The credential itself is
 * frozen.
 */
export class Marks {
  /** Its sign-in was live under this revision of the revocation list. -1: not checked yet. */
  liveAt = -1
  /** When the last-seen time of its sign-in was stored, in ms. */
  seenAt = Number.NEGATIVE_INFINITY
}

/** How far the stored last-seen time may be behind, in ms. */
const COALESCE = 60_000

/**
 * Whether the last-seen time is due to be stored again. Also after the clock was set back: otherwise nothing would be
 * stored until the clock has caught up.
 */
export function isPast(seenAt: number, now: number): boolean {
  return Math.abs(now - seenAt) >= COALESCE
}
