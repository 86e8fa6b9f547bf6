import type { CacheCounts } from '../contract.js'
import { checkWhole } from '../options.js'
import type { Kept } from './verified.js'

/*
 * A verified credential need not be verified again: the same text under the same keys gives the same result. Everything
 * that can change is checked at each use: the time here, and liveness by the caller. Keys cannot change: an application
 * makes its key ring once, and each mode has its own cache. Only verified credentials are kept, so forged ones push out
 * nothing.
 */

export interface CacheOptions {
  /** The most credentials that are kept. */
  readonly max: number
  /** The most memory that they take, as an estimate. */
  readonly maxBytes: number
}

const MAX = 1_000_000
/** Each half has room for 100000 credentials of 1300 bytes. A client may refresh for any number of tokens. */
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

/** In ms. An unused credential stays for between once and twice this time. */
export const CACHE_AGE = 300_000
/**
 * The key is the end of the credential, 72 bits of its signature. Nobody can guess them without the signing key, so the
 * timing of the comparison reveals nothing. Hashing the whole text would take longer than the rest of a request's check.
 * With 13 characters V8 would make the key a view of the text, which is slow to compare.
 */
const KEY_LENGTH = 12

function keyOf(text: string): string {
  return text.slice(-KEY_LENGTH)
}

/**
 * Has two halves. A used credential moves to the younger half. When that is full or old, the whole older half is
 * dropped, without a search.
 */
export class VerifiedCache implements CacheCounts {
  readonly #options: CacheOptions
  #young = new Map<string, Kept>()
  #old = new Map<string, Kept>()
  #youngBytes = 0
  #turnedAt = 0
  hits = 0
  misses = 0

  constructor(options: CacheOptions) {
    this.#options = options
  }

  /**
   * The verified credential of this text, if it is valid at `now` (ms). A time before its verification counts as
   * invalid, because the clock may have been set back. The caller checks that its sign-in is live.
   */
  recall(text: string, now: number): Kept | undefined {
    const found = this.peek(text, now)
    if (found === undefined) this.misses += 1
    else this.hits += 1
    return found
  }

  /** The same for a lookup that the metrics do not count. */
  peek(text: string, now: number): Kept | undefined {
    const found = this.#young.get(keyOf(text)) ?? this.#promote(text, now)
    const serves = found !== undefined && found.text === text && now >= found.from && now < found.until
    return serves ? found : undefined
  }

  /** Pass verified credentials only. */
  keep(credential: Kept, now: number): void {
    if (credential.from < credential.until) this.#put(credential, now)
  }

  #promote(text: string, now: number): Kept | undefined {
    const found = this.#old.get(keyOf(text))
    if (found?.text === text) this.#put(found, now)
    return found
  }

  #put(credential: Kept, now: number): void {
    const half = this.#options.maxBytes / 2
    if (credential.bytes > half) return
    const key = keyOf(credential.text)
    this.#drop(key)
    const isDue = now < this.#turnedAt || now >= this.#turnedAt + CACHE_AGE
    const isFull = this.#young.size >= this.#options.max / 2 || this.#youngBytes + credential.bytes > half
    if (isDue || isFull) this.#turn(now)
    this.#young.set(key, credential)
    this.#youngBytes += credential.bytes
  }

  /** Without this, a credential that is kept repeatedly would be counted each time, and fill the cache. */
  #drop(key: string): void {
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
