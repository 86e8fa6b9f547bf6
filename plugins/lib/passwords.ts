import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Busy, PasswordRefused } from './errors.js'
import { loadOptional } from './optional.js'

/** The fewest characters (code points) of a password that somebody chooses. */
export const PASSWORD_MIN_LENGTH = 8
/** The longest password, in bytes of UTF-8. A longer one is never hashed. */
export const PASSWORD_MAX_BYTES = 1024

/** What `createPasswords` needs of the argon2 package. */
export interface Argon2 {
  hash(password: string, parameters: typeof PARAMETERS): Promise<string>
  verify(hash: string, password: string): Promise<boolean>
}

export interface Passwords {
  /**
   * A salted argon2id hash (RFC 9106) in PHC form. The password is taken as it is: not trimmed, not normalised.
   * @throws PASSWORD_REFUSED when it is longer than 1024 bytes, BUSY when too many are hashing
   */
  hash(password: string): Promise<string>
  /**
   * Whether the password is the one that was hashed. Without a hash (nobody has that name), or with one
   * that is damaged, the same work is done and the answer is false: the time tells nothing.
   * @throws BUSY when too many are hashing
   */
  verify(hash: string | null, password: string): Promise<boolean>
}

/** OWASP's first choice for argon2id: KiB of memory, passes, lanes. The package's default variant is argon2id. */
const PARAMETERS = { memoryCost: 19456, timeCost: 2, parallelism: 1 } as const
const PREFIX = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`

/**
 * 16 bytes of salt and 32 of digest in unpadded base64, the unused last bits zero. A hash of any other
 * shape or cost is taken for damaged, so that a stored text never decides how much work is done.
 */
const SALT_AND_DIGEST = /^[A-Za-z0-9+/]{21}[AQgw]\$[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]$/

function isIntact(hash: string): boolean {
  return hash.startsWith(PREFIX) && SALT_AND_DIGEST.test(hash.slice(PREFIX.length))
}

function base64(bytes: number): string {
  return randomBytes(bytes).toString('base64').replace(/=+$/, '')
}

/** No password is known to have it, and nobody needs to hash one to make it. */
const DECOY = `${PREFIX}${base64(16)}$${base64(32)}`

/**
 * Hashes run in libuv's pool, which has 4 threads and serves files and DNS as well: one is left to them.
 * A larger pool was tried, and made the rest of the process slower.
 */
const CONCURRENCY = Math.min(availableParallelism(), 3)

/**
 * How many may wait for each that runs. A hash takes some 10 ms, so who is let in waits for a fraction of a
 * second; without a bound, one connection that pipelines logins holds up everybody else's for minutes.
 */
const WAITING_FOR_EACH = 16

/** Runs at most `max` works at once. Some wait in the order they came, the rest are shed. @throws BUSY */
function limit(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  const enter = () => {
    if (waiting.length >= max * WAITING_FOR_EACH) throw new Busy()
    if (running >= max) return new Promise<void>((resolve) => waiting.push(resolve))
    running += 1
    return undefined
  }
  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }
  return async (work) => {
    await enter()
    return work().finally(leave)
  }
}

function isTooLong(password: string): boolean {
  return Buffer.byteLength(password) > PASSWORD_MAX_BYTES
}

/** What is wrong with a password that somebody chooses, or null. */
export function passwordFault(password: string): 'too_short' | 'too_long' | null {
  if (isTooLong(password)) return 'too_long'
  return [...password].length < PASSWORD_MIN_LENGTH ? 'too_short' : null
}

const loadArgon2 = (): Promise<Argon2> =>
  loadOptional('@node-rs/argon2', () => import('@node-rs/argon2'), 'Hashing passwords')

/**
 * Hashes and verifies, a few at once.
 * @param load where argon2 comes from
 */
export function createPasswords(load: () => Promise<Argon2> = loadArgon2): Passwords {
  const limited = limit(CONCURRENCY)
  return Object.freeze({
    async hash(password: string) {
      if (isTooLong(password)) throw new PasswordRefused('too_long')
      const argon2 = await load()
      return limited(() => argon2.hash(password, PARAMETERS))
    },
    async verify(hash: string | null, password: string) {
      if (isTooLong(password)) return false
      const argon2 = await load()
      const intact = hash !== null && isIntact(hash)
      const matches = await limited(() => argon2.verify(intact ? hash : DECOY, password))
      return intact && matches
    },
  })
}

/** One for the process, so that the bound on hashes holds for all who hash. */
export const passwords = createPasswords()
