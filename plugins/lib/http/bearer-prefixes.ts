import type { FastifyInstance } from 'fastify'
import { OptionInvalid } from '../errors.js'

export const kBearerPrefixes = Symbol('fastify-identity.bearer-prefixes')

declare module 'fastify' {
  interface FastifyInstance {
    /** Prefixes of bearer tokens, each claimed by one mode. Other modes ignore these tokens. */
    [kBearerPrefixes]: string[]
  }
}

/**
 * Claims all bearer tokens that begin with a prefix for one mode.
 * @param option that names the prefix
 * @throws OPTION_INVALID if another mode has claimed it
 */
export function claimBearerPrefix(app: FastifyInstance, option: string, prefix: string): void {
  const claimed = app[kBearerPrefixes]
  if (claimed.some((other) => other.startsWith(prefix) || prefix.startsWith(other)))
    throw new OptionInvalid(option, 'must differ from that of another mode')
  claimed.push(prefix)
}

/** Whether a bearer token belongs to the mode that claimed its prefix. */
export function isClaimedBearer(app: FastifyInstance, token: string): boolean {
  return app[kBearerPrefixes].some((prefix) => token.startsWith(prefix))
}
