import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode, ModeName } from '../contract.js'

/** The modes by which a request signs somebody in. Absent if there are none. */
const kSigningIn = Symbol('fastify-identity.signing-in')

declare module 'fastify' {
  interface FastifyRequest {
    [kSigningIn]?: Set<ModeName>
  }
}

/** Notes that the answer will set a credential of this mode, which must not be cleared. */
export function noteSigningIn(request: FastifyRequest, name: ModeName): void {
  request[kSigningIn] ??= new Set()
  request[kSigningIn].add(name)
}

/** A fault of that mode's store says nothing about the credential: it is logged, and the sign-in stands. */
async function clearIfRefused(request: FastifyRequest, reply: FastifyReply, mode: AuthMode): Promise<void> {
  try {
    const resolution = await mode.resolve(request)
    const isOurs = request[kSigningIn]?.has(mode.name)
    if (resolution.kind === 'refused' && !isOurs) mode.clear(request, reply)
  } catch (error) {
    request.log.warn({ err: error, mode: mode.name }, 'a refused cookie could not be cleared')
  }
}

/**
 * After a sign-in by a mode with ambient authority, clears refused credentials of such modes that guards ask before it: a
 * dead session, or another application's cookie of that name. The browser would go on sending them, and guards would go on
 * refusing somebody who has just signed in. Live ones stay, and so does a visitor's session.
 *
 * Only here: the late answer to another request would clear a cookie that was set since.
 */
export async function clearRefusedBefore(
  request: FastifyRequest,
  reply: FastifyReply,
  signedIn: AuthMode,
): Promise<void> {
  if (!signedIn.ambient) return
  const { authModes } = request.server
  for (const name of authModes.names) {
    if (name === signedIn.name) return
    const mode = authModes.get(name)
    if (mode.ambient) await clearIfRefused(request, reply, mode)
  }
}
