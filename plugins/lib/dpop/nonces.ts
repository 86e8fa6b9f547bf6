import { createHmac, type KeyObject } from 'node:crypto'
import type { PurposeKeys } from '../credentials/keys.js'

/*
 * A nonce tells when a proof was made (RFC 9449 §8). Only the server can derive the nonces of the future, so nobody can
 * make proofs in advance. A nonce is derived from a bucket of time, and none is stored. Instances accept each other's.
 */

/** The length of a bucket, in ms. A nonce is good in its own bucket and in the next one. */
export const NONCE_PERIOD = 120_000
const NONCE_BYTES = 18

/** An accepted nonce. */
export interface FoundNonce {
  readonly bucket: number
  /** False for the bucket before the current one: the client should take the new nonce (RFC 9449 §8.2). */
  readonly isCurrent: boolean
}

/** When the nonces of a bucket are no longer good, in ms. */
export function endOfBucket(bucket: number): number {
  return (bucket + 2) * NONCE_PERIOD
}

function derive(key: KeyObject, bucket: number): string {
  return createHmac('sha256', key).update(String(bucket)).digest().toString('base64url', 0, NONCE_BYTES)
}

interface Bucket {
  readonly number: number
  /** The one that clients get. */
  readonly nonce: string
  /** One for each secret of the ring: during a rotation, instances sign with different secrets. */
  readonly all: ReadonlySet<string>
}

export class Nonces {
  #current: Bucket
  #before: Bucket

  constructor(private readonly keys: PurposeKeys) {
    this.#current = this.#make(0)
    this.#before = this.#current
  }

  /** The nonce for clients. @param now in ms */
  current(now: number): string {
    return this.#turn(now).nonce
  }

  /** @returns null for a text that is no nonce of the current or the previous bucket */
  find(text: string, now: number): FoundNonce | null {
    const { number } = this.#turn(now)
    if (this.#current.all.has(text)) return { bucket: number, isCurrent: true }
    return this.#before.all.has(text) ? { bucket: number - 1, isCurrent: false } : null
  }

  /** Derives once in each bucket. */
  #turn(now: number): Bucket {
    const number = Math.floor(now / NONCE_PERIOD)
    if (number !== this.#current.number) {
      this.#before = this.#make(number - 1)
      this.#current = this.#make(number)
    }
    return this.#current
  }

  #make(number: number): Bucket {
    const { signing, all } = this.keys
    const nonces = all.map(({ key }) => derive(key, number))
    return { number, nonce: derive(signing.key, number), all: new Set(nonces) }
  }
}
