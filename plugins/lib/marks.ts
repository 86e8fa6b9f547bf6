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
