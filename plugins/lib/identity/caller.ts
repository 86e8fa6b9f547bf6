import type { Identity, RefusalCode } from '../contract.js'

/**
 * Keeps the caller on the request. undefined: no guard ran. null: a guard found nobody. The suite declares none of its
 * symbols by `decorateRequest`: Fastify would write them to every request, also to those without a guard.
 */
export const kCaller = Symbol('fastify-identity.caller')

/** Keeps why the credential was refused, on a request without a caller. Absent if none was refused. */
export const kRefused = Symbol('fastify-identity.refused')

declare module 'fastify' {
  interface FastifyRequest {
    [kCaller]?: Identity | null
    [kRefused]?: RefusalCode
  }
}
