import type { FastifyRequest } from 'fastify'
import type { AuthMode, ModeName, SignInRef } from '../contract.js'

/** The live sign-ins that a request began, by mode. Absent if there are none. */
const kBegun = Symbol('fastify-identity.begun')

declare module 'fastify' {
  interface FastifyRequest {
    [kBegun]?: Map<ModeName, SignInRef>
  }
}

/** Keeps the sign-in that a mode has just begun. The request's own headers do not name it. */
export function keepBegun(request: FastifyRequest, name: ModeName, ref: SignInRef): void {
  request[kBegun] ??= new Map()
  request[kBegun].set(name, ref)
}

/** The sign-in whose cookie the answer would set, and which a new one replaces. Tokens replace nothing: a client may hold several. */
export function begunBefore(request: FastifyRequest, { name, ambient }: AuthMode): SignInRef | undefined {
  return ambient ? request[kBegun]?.get(name) : undefined
}

/** Whether the answer's cookie belongs to this sign-in: no later one by the same mode replaced it. */
export function isBegunLast(request: FastifyRequest, name: ModeName, ref: SignInRef): boolean {
  return request[kBegun]?.get(name) === ref
}

/**
 * Ends the sign-in that the request itself began by this mode.
 * @returns whether there was one
 */
export async function endBegun(request: FastifyRequest, name: ModeName): Promise<boolean> {
  const begun = request[kBegun]
  const ref = begun?.get(name)
  if (!ref) return false
  await request.server.signIns.end(ref, { signedOut: name, request })
  begun?.delete(name)
  return true
}
