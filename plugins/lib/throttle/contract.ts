import type { FastifyRequest } from 'fastify'
import type { AuthModes, Identity, ModeName, SignInOptions } from '../contract.js'

/** What somebody types to sign in. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/**
 * Attempts that are counted before anything is verified. A failed one stays counted; one that the hash queue shed
 * or a store's fault ended (any error of status 500 or more) was none. All throw THROTTLED where no attempt is
 * left, with `Retry-After`, and the same whether or not there is an account.
 */
export interface Throttle {
  /**
   * Signs in whoever gives the right password, by the application's account source. Granted, it resets what was
   * counted against the account; by a mode of ambient authority it leaves a device cookie as well.
   * @throws THROTTLED, CREDENTIALS_REFUSED, and what the account source and `request.signIn` throw
   */
  signIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    credentials: Credentials,
    options?: SignInOptions,
  ): Promise<AuthModes[N]>
  /**
   * A password that somebody who is signed in gives once more. A right one resets nothing.
   * @param verify answers null for a wrong one
   */
  guess<T>(
    request: FastifyRequest,
    who: Pick<Identity, 'username' | 'accountId'>,
    verify: () => Promise<T | null>,
  ): Promise<T | null>
  /**
   * What names no account, counted by address: a refresh, a registration.
   * @param what a word for the audit event
   * @param counts `refusals`: errors of a status below 500 alone; `all`: what succeeds, too; `afterwards`: refusals, and
   *   each only when it is there. For what nobody can guess: it asks the store half as often, and of many at once more
   *   than the limit get through
   */
  byAddress<T>(
    request: FastifyRequest,
    what: string,
    work: () => Promise<T>,
    counts?: AddressCount,
  ): Promise<T>
}

export type AddressCount = 'refusals' | 'all' | 'afterwards'
