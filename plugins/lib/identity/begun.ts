import type { FastifyRequest } from 'fastify'
import type { AuthMode, ModeName, SignInRef } from '../contract.js'

/** The live sign-ins that a request began, by mode. */
const kBegun = Symbol('fastify-identity.begun')

declare module 'fastify' {
  interface FastifyRequest {
    [kBegun]?: Map<ModeName, SignInRef>
  }
}

/** Keeps a sign-in that a mode has just begun, because the request's headers do not name it. */
export function keepBegun(request: FastifyRequest, name: ModeName, ref: SignInRef): void {
  request[kBegun] ??= new Map()
  request[kBegun].set(name, ref)
}

/**
 * The sign-in whose cookie the answer would set. A new sign-in by the same mode replaces it. Undefined for tokens: a
 * client may have several.
 */
export function begunBefore(request: FastifyRequest, { name, ambient }: AuthMode): SignInRef | undefined {
  return ambient ? request[kBegun]?.get(name) : undefined
}

/** Whether the answer's cookie belongs to this sign-in, and not to a later one by the same mode. */
export function isBegunLast(request: FastifyRequest, name: ModeName, ref: SignInRef): boolean {
  return request[kBegun]?.get(name) === ref
}

/** Ends the sign-in that the request itself began by this mode. @returns whether there was one */
export async function endBegun(request: FastifyRequest, name: ModeName): Promise<boolean> {
  const begun = request[kBegun]
  const ref = begun?.get(name)
  if (!ref) return false
  await request.server.signIns.end(ref, { signedOut: name, request })
  begun?.delete(name)
  return true
}
