import type { Claims, GivenFactor } from '../contract.js'

/** The counter of a sign-in's refresh token. No token is stored: it is derived from the counter. */
export interface RefreshState {
  /** Of the newest refresh token. The first is 0. */
  readonly counter: number
  /** Id of the key under which the newest one was derived. */
  readonly keyId: string
  /** When the newest one was issued, in ms. */
  readonly rotatedAt: number
}

/** One sign-in, whatever its mode. Times are in ms. */
export interface SignInRecord {
  readonly id: string
  readonly accountId: string
  readonly mode: string
  readonly epoch: number
  readonly generation: number
  readonly createdAt: number
  readonly lastSeenAt: number
  /** When it ends if it is not used. Equals `absoluteExpiresAt` if there is no idle limit. */
  readonly idleExpiresAt: number
  /** When it ends however much it is used. */
  readonly absoluteExpiresAt: number
  readonly ip: string
  readonly userAgent: string
  /** Session mode: key of the session record, which is destroyed with the sign-in. */
  readonly sessionKey: string | null
  /** Token mode. */
  readonly refresh: RefreshState | null
  /** Added by the application at sign-in, for credentials issued later. Null in a store, except in records of 0.1. */
  readonly claims: Claims | null
  /** The factors that were given. In a store, only the seal contains them. Absent if the seal cannot be read. */
  readonly factors?: readonly GivenFactor[]
  /**
   * Token mode, after a step-up: the counter of the first refresh token that came with the added factors. An older token
   * gets no successor again, because somebody else may have a copy of it. Like `factors`, never in a store.
   */
  readonly strongFrom?: number
  /**
   * In a store: authenticates the fields that never change, and holds claims and factors. A store must keep it unchanged: a
   * record without its seal counts as altered.
   */
  readonly seal?: string | null
  /**
   * The binding of the sign-in: a device's key, or that it can never be bound. Absent or null until it is decided. The
   * suite authenticates the text.
   */
  readonly binding?: string | null
}

/** A session in a store, which cannot read `sealed`. Times are in ms. */
export interface SessionRecord {
  /** Raised by one at each replacement. The first is 1. */
  readonly version: number
  readonly sealed: string
  readonly idleExpiresAt: number
  readonly absoluteExpiresAt: number
}
