import type { RefusalCode, Resolution } from '../contract.js'

/** A resolution that names the caller. */
export type Found = Extract<Resolution, { kind: 'identity' }>

/**
 * The resolution that named the request's caller. undefined: no guard ran. null: a guard found nobody. The suite
 * declares none of its symbols by `decorateRequest`, which writes to each request. Measured, that saves nothing for
 * guarded requests.
 */
export const kCaller = Symbol('fastify-identity.caller')

/** Why the credential of a request without a caller was refused. */
export const kRefused = Symbol('fastify-identity.refused')

declare module 'fastify' {
  interface FastifyRequest {
    [kCaller]?: Found | null
    [kRefused]?: RefusalCode
  }
}
