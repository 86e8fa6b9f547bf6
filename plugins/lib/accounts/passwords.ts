import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { OptionInvalid, PasswordRefused } from '../errors.js'
import { loadOptional } from '../optional.js'
import { checkWhole } from '../options.js'
import { HashQueue } from './hash-queue.js'
import { HASH_COST, type HashCost, hashCost, hashPrefix, isWeaker, restOf } from './password-hash.js'

/** The longest password, in bytes of UTF-8. A longer one is never hashed. */
export const PASSWORD_MAX_BYTES = 1024

/** What `createPasswords` needs of the argon2 package. */
export interface Argon2 {
  /** The package's default variant is argon2id. */
  hash(password: string, cost: HashCost): Promise<string>
  verify(hash: string, password: string): Promise<boolean>
}

export interface Passwords {
  /**
   * A salted argon2id hash (RFC 9106) in PHC form. The password is taken as it is: not trimmed, not normalised.
   * @throws PASSWORD_REFUSED when it is longer than 1024 bytes, OPTION_INVALID when it is no well-formed text,
   *   BUSY when too many are hashing
   */
  hash(password: string): Promise<string>
  /**
   * Whether the password is the one that was hashed. Without a hash (nobody has that name), or with one
   * that is damaged, absurd or weaker than today's, the same work is done: the time tells nothing.
   * @throws BUSY when too many are hashing
   */
  verify(hash: string | null, password: string): Promise<boolean>
  /** Whether to hash or verify now would be BUSY. Whoever asks refuses then: it counts as shed. */
  isBusy?(): boolean
  /** Whether the hash is weaker than one that is made today, and should be made anew. */
  isOutdated(hash: string): boolean
}

/** Passwords that are hashed a few at once. */
export interface QueuedPasswords extends Passwords {
  readonly queue: HashQueue
}

/** UTF-8 has no bytes for it, and every one would be hashed as U+FFFD: many passwords would be one. */
const LONE_SURROGATE = /\p{Surrogate}/u

function base64(bytes: number): string {
  return randomBytes(bytes).toString('base64').replace(/=+$/, '')
}

/**
 * Hashes run in libuv's pool, which has 4 threads and serves files and DNS as well: one is left to them.
 * A larger pool was tried, and made the rest of the process slower.
 */
const CONCURRENCY = Math.min(availableParallelism(), 3)

/** Whether nobody can have this password. */
export function isTooLong(password: string): boolean {
  return Buffer.byteLength(password) > PASSWORD_MAX_BYTES
}

const loadArgon2 = (): Promise<Argon2> =>
  loadOptional('@node-rs/argon2', () => import('@node-rs/argon2'), 'Hashing passwords')

/** What one hash is checked with, and what is worked on where there is none to check. */
interface Checking {
  readonly argon2: Argon2
  readonly cost: HashCost
  readonly decoy: string
}

/** However it ends, it has cost one hash of today's, or a stored one that is stronger. */
async function check({ argon2, cost, decoy }: Checking, hash: string | null, password: string) {
  const stored = hash === null ? null : hashCost(hash)
  try {
    const matches = await argon2.verify(hash !== null && stored ? hash : decoy, password)
    if (stored && isWeaker(stored, cost)) await argon2.hash(password, restOf(cost, stored))
    return stored !== null && matches
  } catch (error) {
    if (stored === null) throw error
    // What the hasher itself does not take is damaged as well: a refusal, not an outage for its owner.
    return check({ argon2, cost, decoy }, null, password)
  }
}

/**
 * Hashes and verifies, a few at once.
 * @param load where argon2 comes from
 * @param cost of new hashes. Raised, it is reached by each account at its next sign-in
 * @param atOnce how many hashes run at once. For each, some more wait
 */
export function createPasswords(
  load: () => Promise<Argon2> = loadArgon2,
  cost = HASH_COST,
  atOnce = CONCURRENCY,
): QueuedPasswords {
  const queue = new HashQueue(atOnce)
  // No password is known to have it, and nobody needs to hash one to make it.
  const decoy = `${hashPrefix(cost)}${base64(16)}$${base64(32)}`
  return Object.freeze({
    queue,
    async hash(password: string) {
      if (isTooLong(password)) throw new PasswordRefused('too_long')
      if (LONE_SURROGATE.test(password)) throw new OptionInvalid('password', 'wants well-formed text')
      const argon2 = await load()
      return queue.run(() => argon2.hash(password, cost))
    },
    async verify(hash: string | null, password: string) {
      if (isTooLong(password) || LONE_SURROGATE.test(password)) return false
      const argon2 = await load()
      return queue.run(() => check({ argon2, cost, decoy }, hash, password))
    },
    isBusy: () => queue.sheds(),
    isOutdated(hash: string) {
      const stored = hashCost(hash)
      return stored !== null && isWeaker(stored, cost)
    },
  })
}

/** One for the process, so that the bound on hashes holds for all who hash. */
export const passwords = createPasswords()

/** Of more threads than that, the hashes of one process have nothing. */
const AT_ONCE_MAX = 64

/**
 * The process's own, or where another bound is wanted, one with that.
 * @throws OPTION_INVALID
 */
export function passwordsFor(hashesAtOnce: number | undefined): QueuedPasswords {
  if (hashesAtOnce === undefined) return passwords
  const atOnce = checkWhole('hashesAtOnce', hashesAtOnce, 1, AT_ONCE_MAX)
  return createPasswords(loadArgon2, HASH_COST, atOnce)
}
