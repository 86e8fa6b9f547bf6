import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PasswordRefused } from 'fastify-identity/errors'
import { sendFailure } from './answer.js'
import { isMessageKey, type MessageKey } from './messages.js'

/** What Fastify's own refusals are called here, by status. */
const BY_STATUS: Record<number, MessageKey> = {
  400: 'BODY_INVALID',
  404: 'NOT_FOUND',
  413: 'BODY_TOO_LARGE',
  414: 'NOT_FOUND',
  415: 'CONTENT_TYPE_UNSUPPORTED',
}

/** An error as the suite raises it: some bring headers. */
export type RaisedError = FastifyError & { readonly headers?: Readonly<Record<string, string>> }

interface Failure {
  readonly status: number
  readonly key: MessageKey
}

function failureOf(error: FastifyError): Failure {
  // The password was changed, or the account disabled, between its verification and the sign-in: it is wrong by now.
  if (error.code === 'EPOCH_PASSED') return { status: 401, key: 'CREDENTIALS_REFUSED' }
  const status = error.validation ? 400 : (error.statusCode ?? 500)
  if (status !== 500 && isMessageKey(error.code)) return { status, key: error.code }
  const key = BY_STATUS[status]
  return key ? { status, key } : { status: 500, key: 'INTERNAL' }
}

function reasonOf(error: FastifyError): { readonly reason?: string } {
  return error instanceof PasswordRefused ? { reason: error.reason } : {}
}

/**
 * Answers every error in the contract's form. What a store or a library says of its trouble goes to the
 * log alone.
 */
export function answerFailure(
  error: RaisedError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, key } = failureOf(error)
  // What is shed says nothing that its code does not say, and comes in hundreds.
  if (status >= 500 && key !== 'BUSY') request.log.error({ err: error }, 'request failed')
  else request.log.info({ code: key }, 'request refused')
  // The challenge, and when to come back: Fastify sends them by itself only where nobody handles its errors.
  return sendFailure(request, reply.headers(error.headers ?? {}), status, key, reasonOf(error))
}

export function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendFailure(request, reply, 404, 'NOT_FOUND')
}

/** Gives an application's scope the contract's failures. */
export function handleFailures(app: FastifyInstance): void {
  app.setErrorHandler(answerFailure)
  app.setNotFoundHandler(answerNotFound)
}
