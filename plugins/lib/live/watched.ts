import type { Identity, SignInRef } from '../contract.js'
import type { Found } from '../identity/caller.js'
import { Verified } from '../verified/verified.js'

/** Anything that ends with a sign-in: a socket, a stream, a signal. */
export interface Member {
  /** @param reason the suite's error: SIGNED_OUT, CREDENTIAL_EXPIRED or STORE_UNAVAILABLE */
  end(reason: Error): void
  /** The sign-in was in doubt, and is live. */
  sure?(): void
  /** The server stops. */
  stop?(): void
}

/** Under which a sign-in is watched. */
export const keyOf = ({ identity: { accountId, signInId } }: Found): string =>
  `${accountId.length}:${accountId}:${signInId}`

/** A sign-in with open connections, which share it. Times are in ms. */
export class Watched {
  readonly identity: Identity
  /** null until its record was read: a mode of an application names the caller only. */
  ref: SignInRef | null
  /** When its record must be read, because the credential may have expired. On the suite's clock. */
  dueAt: number
  /** Until when it may stay in doubt, on the monotonic clock. null: there is no doubt. */
  doubtedUntil: number | null = null
  /** Whether an answer about it is awaited. */
  isAsked = false
  /** Why it ended. */
  ended: Error | null = null
  readonly members = new Set<Member>()
  /** How many of the members are sockets and streams. */
  connections = 0

  constructor(
    readonly key: string,
    found: Found,
  ) {
    this.identity = found.identity
    this.ref = found instanceof Verified ? found : null
    this.dueAt = found instanceof Verified ? found.until : Number.NEGATIVE_INFINITY
  }

  /** Ends it, and all that belongs to it. */
  end(reason: Error): void {
    if (this.ended) return
    this.ended = reason
    const members = [...this.members]
    this.members.clear()
    for (const member of members) member.end(reason)
  }

  /** It is live after all. */
  settle(): void {
    this.doubtedUntil = null
    for (const member of [...this.members]) member.sure?.()
  }
}
