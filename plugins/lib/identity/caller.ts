import type { Identity, RefusalCode } from '../contract.js'

/**
 * Where the caller is kept on the request. undefined: no guard ran. null: one did, and there is nobody. Not declared
 * by `decorateRequest`, as nothing is that the suite keeps there: that would be written to every request, whether or
 * not it has a guard.
 */
export const kCaller = Symbol('fastify-identity.caller')

/** Where a request without a caller keeps why the credential that came was refused. Not there: none was. */
export const kRefused = Symbol('fastify-identity.refused')

declare module 'fastify' {
  interface FastifyRequest {
    [kCaller]?: Identity | null
    [kRefused]?: RefusalCode
  }
}
