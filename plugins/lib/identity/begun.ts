import type { FastifyRequest } from 'fastify'
import type { AuthMode, ModeName, SignInRef } from '../contract.js'

/** The sign-ins that a request began and that nothing has ended since, by their mode. Not there: none. */
const kBegun = Symbol('fastify-identity.begun')

declare module 'fastify' {
  interface FastifyRequest {
    [kBegun]?: Map<ModeName, SignInRef>
  }
}

/** Keeps the sign-in that a mode has just begun for the request: the request's own headers do not name it. */
export function keepBegun(request: FastifyRequest, name: ModeName, ref: SignInRef): void {
  request[kBegun] ??= new Map()
  request[kBegun].set(name, ref)
}

/**
 * The sign-in that the answer would hand to the browser, and that a new one takes the place of. A client may hold the
 * tokens of several.
 */
export function begunBefore(request: FastifyRequest, { name, ambient }: AuthMode): SignInRef | undefined {
  return ambient ? request[kBegun]?.get(name) : undefined
}

/** Whether no later sign-in by the same mode took its place: what the answer sets is then of this one. */
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
