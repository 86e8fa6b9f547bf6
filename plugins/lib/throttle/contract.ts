import type { FastifyRequest } from 'fastify'
import type { Account, AuthModes, Identity, ModeName } from '../contract.js'
import type { PasswordSignInOptions } from '../factors/hand-over.js'

/** A username and a password, as typed. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/**
 * Counts attempts before anything is verified. A failed attempt stays counted. An error of status 500 or more (the
 * hash queue shed it, a store failed) takes the attempt back. All methods throw THROTTLED with `Retry-After` if no
 * attempt is left, in the same way whether or not the account exists.
 */
export interface Throttle {
  /**
   * Verifies the password with the application's account source, and signs in. Success resets the account's
   * counters. A mode of ambient authority also sets a device cookie.
   *
   * If the account has a second factor, nobody is signed in yet. The attempt does not count, and no counter is reset. The
   * error SECOND_FACTOR_REQUIRED names a pending sign-in for `app.factors.finishSignIn`.
   * @throws THROTTLED, CREDENTIALS_REFUSED, SECOND_FACTOR_REQUIRED, the errors of the account source and `request.signIn`
   */
  signIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    credentials: Credentials,
    options?: PasswordSignInOptions,
  ): Promise<AuthModes[N]>
  /**
   * Whether the request has the device cookie of an earlier sign-in of this account. Only modes of ambient authority set it.
   */
  knowsDevice(request: FastifyRequest, username: string): Promise<boolean>
  /**
   * Checks a password that a signed-in person gives again. The right one resets nothing.
   * @param verify returns null for a wrong password
   */
  guess<T>(
    request: FastifyRequest,
    who: Pick<Identity, 'username' | 'accountId'>,
    verify: () => Promise<T | null>,
  ): Promise<T | null>
  /**
   * Counts an attempt at a second factor, and verifies it. All routes and addresses share one count for each account. A
   * device that signed in with two factors before has its own count. Success resets the count. Passwords are counted apart.
   * @param verify returns null for a wrong factor. Its argument is the number of failures in a row, this one included
   * @throws THROTTLED, and the errors of `verify`
   */
  guessFactor<T>(
    request: FastifyRequest,
    account: Pick<Account, 'id' | 'username'>,
    verify: (failures: number) => Promise<T | null>,
  ): Promise<T | null>
  /**
   * After a sign-in with two factors: resets the account's count of wrong passwords. If the browser sends the mode's
   * credential by itself, also sets the device cookie. `signIn` does both when a password is enough. Never throws.
   * @param username as typed
   */
  noteSignIn(request: FastifyRequest, mode: ModeName, account: Account, username: string): Promise<void>
  /**
   * Counts by address alone, for requests that name no account: a refresh, a registration.
   * @param what a word for the audit event
   * @param counts `refusals`: only errors of a status below 500; `all`: successes as well; `afterwards`: refusals, counted
   *   after they happen. That needs half as many store operations, but parallel requests can exceed the limit: use it for
   *   secrets that nobody can guess
   */
  byAddress<T>(
    request: FastifyRequest,
    what: string,
    work: () => Promise<T>,
    counts?: AddressCount,
  ): Promise<T>
}

export type AddressCount = 'refusals' | 'all' | 'afterwards'
