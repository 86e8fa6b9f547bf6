import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ModeName } from 'fastify-identity'
import { type MessageKey, messageFor } from './messages.js'

/** Every answer of the user center. `code` equals the HTTP status. Only failures have `error`. */
export interface Answer {
  readonly code: number
  readonly msg: string
  readonly data?: unknown
  readonly auth_type?: ModeName
  readonly error?: string
  /** The detail, if `error` alone is not clear. */
  readonly reason?: string
}

/** The body of a success, with code 200 by default. */
export function answer(
  request: FastifyRequest,
  key: MessageKey,
  { code = 200, data, auth_type }: Partial<Pick<Answer, 'code' | 'data' | 'auth_type'>> = {},
): Answer {
  // Always the same fields, so that V8 uses one hidden class. JSON leaves out undefined ones.
  return { code, msg: messageFor(request, key), data, auth_type }
}

/** Sends a failure in the same form. */
export function sendFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  key: MessageKey,
  rest: Pick<Answer, 'reason' | 'data'> = {},
): FastifyReply {
  const body: Answer = { code: status, msg: messageFor(request, key), error: key, ...rest }
  return reply.code(status).send(body)
}

/** For a request that ended the caller's own sign-in: the answer also clears the client's credential. */
export function forgetOwn(request: FastifyRequest, reply: FastifyReply): void {
  request.server.authModes.get(request.identity.mode).clear(request, reply)
}
