import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode, ModeName } from '../contract.js'

/** The modes by which a request signs somebody in. */
const kSigningIn = Symbol('fastify-identity.signing-in')

declare module 'fastify' {
  interface FastifyRequest {
    [kSigningIn]?: Set<ModeName>
  }
}

/** Notes that the answer sets a credential of this mode: it must not be cleared. */
export function noteSigningIn(request: FastifyRequest, name: ModeName): void {
  request[kSigningIn] ??= new Set()
  request[kSigningIn].add(name)
}

/** A store fault says nothing about the credential: it is logged, and the sign-in succeeds. */
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
 * After a sign-in by cookie, clears refused cookies of the modes that guards ask first: a dead session, or another
 * application's cookie of that name. The browser would go on sending them, and guards would refuse a user who has just
 * signed in. Live ones and a visitor's session stay.
 *
 * Only a sign-in does this. The late answer to another request could clear a cookie that was set in the meantime.
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
