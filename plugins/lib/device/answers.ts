import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { DeviceProofRequired, SignedOut, StoreUnavailable } from '../errors.js'

/*
 * The answers of the two routes. For any 4xx except 403 with a challenge, a browser silently ends its bound sign-in.
 * For a 5xx it keeps the sign-in. So the routes never answer 400, 404, 413, 415 or 429, whatever is wrong with the
 * request.
 */

/** Replaces the application's error handler, which could choose another status. */
export function answerRefusal(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const isExpected = error instanceof SignedOut || error instanceof DeviceProofRequired
  const { statusCode = 503, code, message } = isExpected ? error : new StoreUnavailable({ cause: error })
  if (isExpected) request.log.info({ code }, 'request refused')
  else request.log.error({ err: error }, 'a device could not be answered')
  forbidSharing(reply)
  if (statusCode === 503) reply.header('retry-after', '1')
  reply.code(statusCode).send({ statusCode, code, error: STATUS_CODES[statusCode], message })
}

/** Keeps answers from pages of other origins, and from caches. */
export function forbidSharing(reply: FastifyReply): void {
  for (const name of Object.keys(reply.getHeaders()))
    if (name.startsWith('access-control-')) reply.removeHeader(name)
  reply.header('cache-control', 'no-store')
}
