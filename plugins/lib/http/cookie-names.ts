import type { FastifyInstance } from 'fastify'
import { OptionInvalid } from '../errors.js'
import type { CookieSpec } from './cookies.js'

export const kCookieNames = Symbol('fastify-identity.cookie-names')

declare module 'fastify' {
  interface FastifyInstance {
    /** The full names of the suite's own cookies. */
    [kCookieNames]: Set<string>
  }
}

/**
 * Two cookies of one name would overwrite each other.
 * @param option that gives the name
 * @throws OPTION_INVALID
 */
export function claimCookieName(app: FastifyInstance, option: string, { name }: CookieSpec): void {
  const names = app[kCookieNames]
  if (names.has(name)) throw new OptionInvalid(option, 'must differ from the names of our other cookies')
  names.add(name)
}
