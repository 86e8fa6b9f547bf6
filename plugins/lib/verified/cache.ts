import type { CacheCounts } from '../contract.js'
import { checkWhole } from '../options.js'
import { ownText } from '../own-text.js'
import type { Verified } from './verified.js'

/*
 * Why a credential that was verified a moment ago need not be verified again: the same text under the same keys
 * is what it was. So it is looked up by all of its text, and whatever can change is asked at each use: the time
 * here, and whether its sign-in is live by who recalls it. Keys cannot change: a key ring is made once for an
 * application, and each mode of it has a memo of its own. Other keys, or another mode, begin with an empty one.
 *
 * Only what was verified gets in, so that what a stranger makes up displaces nothing.
 */

export interface CacheOptions {
  /** How many credentials are kept at most. */
  readonly max: number
  /** What they take in memory at most, about. */
  readonly maxBytes: number
}

const MAX = 1_000_000
/** Room for 100000 that take 1300 bytes, in each half. Refreshing makes as many tokens as one likes: not more. */
const MAX_BYTES = 256 * 1024 * 1024
const LEAST_BYTES = 1024 * 1024

/**
 * @param name of the option that gives `max`
 * @throws OPTION_INVALID
 */
export function checkCacheOptions(name: string, max = MAX, maxBytes = MAX_BYTES): CacheOptions {
  checkWhole(name, max, 2)
  checkWhole('cacheBytes', maxBytes, LEAST_BYTES, undefined, 'whole bytes')
  return Object.freeze({ max, maxBytes })
}

/** How long what is not used stays, once or twice, in ms. */
export const CACHE_AGE = 300_000
/**
 * By how much of its end a credential is found. There stands the signature: nobody comes up with 72 bits of one
 * without the key, so that a comparison whose time told of the text is never reached; and whoever has two
 * credentials that end alike has one of them forgotten. Hashing all of the text would take longer than all the
 * rest, and with one character more V8 would keep the key as a view of the text, which is slow to compare.
 */
const KEY_LENGTH = 12

function keyOf(text: string): string {
  return text.slice(-KEY_LENGTH)
}

/**
 * Credentials that were verified. In two halves: what is used moves to the younger one, and when that is full, or
 * old, the older one is dropped: what is not used is gone, without looking for it, and making room takes no time.
 */
export class VerifiedCache implements CacheCounts {
  readonly #options: CacheOptions
  #young = new Map<string, Verified>()
  #old = new Map<string, Verified>()
  #youngBytes = 0
  #turnedAt = 0
  hits = 0
  misses = 0

  constructor(options: CacheOptions) {
    this.#options = options
  }

  /**
   * What is known of a credential, if that says enough at `now` (ms): not before it was verified, should the
   * clock be set back, and not from its end on. Whether its sign-in is live is still to be asked.
   */
  recall(text: string, now: number): Verified | undefined {
    const found = this.peek(text, now)
    if (found === undefined) this.misses += 1
    else this.hits += 1
    return found
  }

  /** The same where nobody is looked for, and so not counted. */
  peek(text: string, now: number): Verified | undefined {
    const found = this.#young.get(keyOf(text)) ?? this.#promote(text, now)
    const serves = found !== undefined && found.text === text && now >= found.from && now < found.until
    return serves ? found : undefined
  }

  /** For what was verified, and nothing else. */
  keep(credential: Verified, now: number): void {
    const mayServe = credential.from < credential.until
    // The text was cut out of a request's header, which must not stay with it.
    if (mayServe) this.#put(Object.freeze({ ...credential, text: ownText(credential.text) }), now)
  }

  #promote(text: string, now: number): Verified | undefined {
    const found = this.#old.get(keyOf(text))
    if (found?.text === text) this.#put(found, now)
    return found
  }

  #put(credential: Verified, now: number): void {
    const half = this.#options.maxBytes / 2
    if (credential.bytes > half) return
    const key = keyOf(credential.text)
    this.#forget(key)
    const isDue = now < this.#turnedAt || now >= this.#turnedAt + CACHE_AGE
    const isFull = this.#young.size >= this.#options.max / 2 || this.#youngBytes + credential.bytes > half
    if (isDue || isFull) this.#turn(now)
    this.#young.set(key, credential)
    this.#youngBytes += credential.bytes
  }

  /** What takes its place must not count as well: one that is kept again and again would fill the memo. */
  #forget(key: string): void {
    const known = this.#young.get(key)
    if (known && this.#young.delete(key)) this.#youngBytes -= known.bytes
  }

  #turn(now: number): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#youngBytes = 0
    this.#turnedAt = now
  }
}
