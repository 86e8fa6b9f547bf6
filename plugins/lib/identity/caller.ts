import type { FastifyRequest } from 'fastify'
import type { RefusalCode, Resolution } from '../contract.js'
import { IdentityUnguarded } from '../errors.js'

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

export const unguarded = (name: string) =>
  `request.${name} was read before an identity guard let the request pass.`

/**
 * The resolution that named the caller.
 * @param name of what the application reads, for the error
 * @throws IDENTITY_UNGUARDED if no guard has found a caller
 */
export function foundCaller(request: FastifyRequest, name: string): Found {
  const found = request[kCaller]
  if (found) return found
  if (found === undefined) throw new IdentityUnguarded(unguarded(name))
  throw new IdentityUnguarded(
    `request.${name} was read after a guard had found nobody: read request.identityOrNull there.`,
  )
}
