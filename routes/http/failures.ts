import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PasswordRefused, SecondFactorRequired, SignedOut } from 'fastify-identity/errors'
import { sendFailure } from './answer.js'
import { isMessageKey, type MessageKey } from './messages.js'

/** Our codes for Fastify's own refusals, by status. */
const BY_STATUS: Record<number, MessageKey> = {
  400: 'BODY_INVALID',
  404: 'NOT_FOUND',
  413: 'BODY_TOO_LARGE',
  414: 'NOT_FOUND',
  415: 'CONTENT_TYPE_UNSUPPORTED',
}

/** An error of the suite. Some have headers. */
export type RaisedError = FastifyError & { readonly headers?: Readonly<Record<string, string>> }

interface Failure {
  readonly status: number
  readonly key: MessageKey
}

function failureOf(error: FastifyError): Failure {
  // After the check and before the sign-in, the password changed or the account was disabled. So the password is wrong
  // now.
  if (error.code === 'EPOCH_PASSED') return { status: 401, key: 'CREDENTIALS_REFUSED' }
  const status = error.validation ? 400 : (error.statusCode ?? 500)
  if (status !== 500 && isMessageKey(error.code)) return { status, key: error.code }
  const key = BY_STATUS[status]
  return key ? { status, key } : { status: 500, key: 'INTERNAL' }
}

/** The fields that the client needs besides the code. */
function detailsOf(error: FastifyError): { readonly reason?: string; readonly data?: object } {
  if (error instanceof SecondFactorRequired) return { data: error.data }
  return error instanceof PasswordRefused ? { reason: error.reason } : {}
}

/**
 * Answers every error in the contract's form. Details from a store or a library go only to the log.
 */
export function answerFailure(
  error: RaisedError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, key } = failureOf(error)
  // Requests refused with BUSY come in hundreds, and their code says everything.
  if (status >= 500 && key !== 'BUSY') request.log.error({ err: error }, 'request failed')
  else request.log.info({ code: key }, 'request refused')
  // WWW-Authenticate and Retry-After: Fastify sends an error's headers only without an error handler.
  return sendFailure(request, reply.headers(error.headers ?? {}), status, key, detailsOf(error))
}

export function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendFailure(request, reply, 404, 'NOT_FOUND')
}

/** Gives an application's scope the contract's failures. */
export function handleFailures(app: FastifyInstance): void {
  app.setErrorHandler(answerFailure)
  app.setNotFoundHandler(answerNotFound)
}

/** The refusal of a sign-in that ended after the guard ran. It has the status and the header of a guard's refusal. */
export function endedMeanwhile(): Error {
  return Object.assign(new SignedOut(), { statusCode: 403, headers: { 'www-authenticate': 'Bearer' } })
}
