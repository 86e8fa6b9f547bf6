import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ModeName } from 'fastify-identity'
import { type MessageKey, messageFor } from './messages.js'

/** Every answer of the user center. `code` equals the HTTP status; `error` is there on failures only. */
export interface Answer {
  readonly code: number
  readonly msg: string
  readonly data?: unknown
  readonly auth_type?: ModeName
  readonly error?: string
  /** What `error` means here, where it alone does not say. */
  readonly reason?: string
}

/** The body of what went well: of a 200, unless it says another code. */
export function answer(
  request: FastifyRequest,
  key: MessageKey,
  { code = 200, data, auth_type }: Partial<Pick<Answer, 'code' | 'data' | 'auth_type'>> = {},
): Answer {
  // All of them each time, and none where there is none: JSON has no undefined.
  return { code, msg: messageFor(request, key), data, auth_type }
}

/** Sends a failure in the same form. */
export function sendFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  key: MessageKey,
  rest: Pick<Answer, 'reason'> = {},
): FastifyReply {
  const body: Answer = { code: status, msg: messageFor(request, key), error: key, ...rest }
  return reply.code(status).send(body)
}

/** The caller's own sign-in has ended. The answer therefore also clears what the client holds of it. */
export function forgetOwn(request: FastifyRequest, reply: FastifyReply): void {
  request.server.authModes.get(request.identity.mode).forget(request, reply)
}
