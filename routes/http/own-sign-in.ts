import type { FastifyReply, FastifyRequest } from 'fastify'

/** The caller's own sign-in is ended: what the client holds of it goes too. */
export function forgetOwn(request: FastifyRequest, reply: FastifyReply): void {
  request.server.authModes.get(request.identity.mode).forget(request, reply)
}
