import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { OptionInvalid, PasswordRefused } from '../errors.js'
import { loadOptional } from '../optional.js'
import { checkWhole } from '../options.js'
import { HashQueue } from './hash-queue.js'
import { HASH_COST, type HashCost, hashCost, hashPrefix, isWeaker, restOf } from './password-hash.js'

/** The longest password, in bytes of UTF-8. Longer ones are never hashed. */
export const PASSWORD_MAX_BYTES = 1024

/** The part of the argon2 package that `createPasswords` uses. */
export interface Argon2 {
  /** The package's default variant is argon2id. */
  hash(password: string, cost: HashCost): Promise<string>
  verify(hash: string, password: string): Promise<boolean>
}

export interface Passwords {
  /**
   * A salted argon2id hash (RFC 9106) in PHC form. The password is taken as it is: not trimmed, not normalised.
   * @throws PASSWORD_REFUSED above 1024 bytes, OPTION_INVALID for malformed text, BUSY if too many are hashing
   */
  hash(password: string): Promise<string>
  /**
   * Whether the password is the one that was hashed. The same work is done without a hash (no such account), and with
   * a damaged, absurd or weaker one, so that the time reveals nothing.
   * @throws BUSY if too many are hashing
   */
  verify(hash: string | null, password: string): Promise<boolean>
  /** Whether hashing or verifying now would be BUSY. The caller must then refuse: it counts as shed. */
  isBusy?(): boolean
  /** Whether the hash is weaker than today's and should be renewed. */
  isOutdated(hash: string): boolean
}

export interface QueuedPasswords extends Passwords {
  readonly queue: HashQueue
}

/** UTF-8 encodes each as U+FFFD, which would make different passwords equal. */
const LONE_SURROGATE = /\p{Surrogate}/u

function base64(bytes: number): string {
  return randomBytes(bytes).toString('base64').replace(/=+$/, '')
}

/**
 * Hashes run in libuv's pool of 4 threads, which also serves files and DNS: one thread is left to them. A larger pool
 * was tried, and slowed the rest of the process down.
 */
const CONCURRENCY = Math.min(availableParallelism(), 3)

export function isTooLong(password: string): boolean {
  return Buffer.byteLength(password) > PASSWORD_MAX_BYTES
}

const loadArgon2 = (): Promise<Argon2> =>
  loadOptional('@node-rs/argon2', () => import('@node-rs/argon2'), 'Hashing passwords')

/** The hasher, the cost of today's hashes, and the decoy that is verified if there is no hash. */
interface Checking {
  readonly argon2: Argon2
  readonly cost: HashCost
  readonly decoy: string
}

/** Always costs as much as one of today's hashes, or as the stored one if that is stronger. */
async function check({ argon2, cost, decoy }: Checking, hash: string | null, password: string) {
  const stored = hash === null ? null : hashCost(hash)
  try {
    const matches = await argon2.verify(hash !== null && stored ? hash : decoy, password)
    if (stored && isWeaker(stored, cost)) await argon2.hash(password, restOf(cost, stored))
    return stored !== null && matches
  } catch (error) {
    if (stored === null) throw error
    // A hash that the hasher rejects is damaged too: a refusal for its owner, not an outage.
    return check({ argon2, cost, decoy }, null, password)
  }
}

/**
 * Hashes and verifies, with a bound on parallel hashes.
 * @param load imports argon2
 * @param cost of new hashes. After it is raised, each account reaches it at its next sign-in
 * @param atOnce how many hashes run at once; some more wait for each
 */
export function createPasswords(
  load: () => Promise<Argon2> = loadArgon2,
  cost = HASH_COST,
  atOnce = CONCURRENCY,
): QueuedPasswords {
  const queue = new HashQueue(atOnce)
  // A random digest: nobody knows a password for it, and making it takes no hashing.
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

/** One for the process, so that its bound holds for all callers. */
export const passwords = createPasswords()

/** libuv never gives one process more useful threads than this. */
const AT_ONCE_MAX = 64

/**
 * The process's own instance, or a new one with another bound.
 * @throws OPTION_INVALID
 */
export function passwordsFor(hashesAtOnce: number | undefined): QueuedPasswords {
  if (hashesAtOnce === undefined) return passwords
  const atOnce = checkWhole('hashesAtOnce', hashesAtOnce, 1, AT_ONCE_MAX)
  return createPasswords(loadArgon2, HASH_COST, atOnce)
}
