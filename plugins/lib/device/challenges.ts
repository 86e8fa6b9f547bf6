import { randomBytes } from 'node:crypto'
import type { PurposeKeys } from '../credentials/keys.js'
import { isMacOf, MAC_SHAPE, macOf } from './mac.js'
import { type DeviceRef, nameOfRef } from './ref.js'
import { AHEAD_MAX, CHALLENGE_BUCKET, PROOF_FOR, PROOF_LEAST } from './times.js'

/*
 * A challenge is `<kind>.<time>.<random>.<key id>.<MAC>`. No challenge is stored: the MAC covers the sign-in, the kind
 * and the time of issue. Within a minute, a sign-in gets the same challenge again, except for those with random bytes.
 */

/**
 * `r`: for a registration. `p`: for a proof. `f`: for a fresh proof. It has random bytes, so no signature of it can
 * exist yet.
 */
export type ChallengeKind = 'r' | 'p' | 'f'

const SHAPE = new RegExp(`^([rpf])\\.([0-9a-z]{1,9})\\.([\\w-]*)\\.([\\w-]{8})\\.(${MAC_SHAPE})$`)
const RANDOM_BYTES = 12

/** A genuine challenge. */
export interface Challenge {
  readonly kind: ChallengeKind
  /** When it was issued, in ms. For a derived one, the start of its minute. */
  readonly issuedAt: number
}

/** Whether a challenge is new enough: its proof must last for at least `PROOF_LEAST`. */
export function isAnswerable({ issuedAt }: Challenge, now: number): boolean {
  return now >= issuedAt - AHEAD_MAX && now <= issuedAt + PROOF_FOR - PROOF_LEAST
}

/** Issues and reads challenges. Times are in ms. */
export class Challenges {
  constructor(private readonly keys: PurposeKeys) {}

  /** The challenge of this minute. */
  derive(ref: DeviceRef, kind: 'r' | 'p', now: number): string {
    return this.#write(ref, kind, now - (now % CHALLENGE_BUCKET), '')
  }

  /** A challenge that nobody has seen. */
  invent(ref: DeviceRef, now: number): string {
    return this.#write(ref, 'f', now, randomBytes(RANDOM_BYTES).toString('base64url'))
  }

  /** Null for a text that is no challenge for that sign-in. Does not check its age. */
  read(ref: DeviceRef, text: unknown): Challenge | null {
    if (typeof text !== 'string') return null
    const [, kind = '', time = '', random = '', keyId = '', mac = ''] = SHAPE.exec(text) ?? []
    const key = this.keys.find(keyId)
    if (!key || !isMacOf(mac, key, kind, time, random, ...nameOfRef(ref))) return null
    return { kind: kind as ChallengeKind, issuedAt: Number.parseInt(time, 36) }
  }

  #write(ref: DeviceRef, kind: ChallengeKind, issuedAt: number, random: string): string {
    const time = issuedAt.toString(36)
    const { id, key } = this.keys.signing
    return [kind, time, random, id, macOf(key, kind, time, random, ...nameOfRef(ref))].join('.')
  }
}
