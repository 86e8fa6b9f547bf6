import type { FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { answerFailure, type RaisedError } from './failures.js'
import { PAGE_POLICY } from './page.js'

/** In seconds: what browsers' preload lists ask for at least. */
const A_YEAR = 31_536_000

/**
 * What every answer tells a browser: to come back over TLS alone, to run and load nothing but our own files, to
 * guess no types, to name our addresses to nobody, and to let no other site frame, embed or script us.
 */
export const SECURITY_HEADERS: FastifyHelmetOptions = {
  contentSecurityPolicy: PAGE_POLICY,
  strictTransportSecurity: { maxAge: A_YEAR, includeSubDomains: true },
  referrerPolicy: { policy: 'no-referrer' },
  crossOriginOpenerPolicy: { policy: 'same-origin' },
  crossOriginResourcePolicy: { policy: 'same-origin' },
  xFrameOptions: { action: 'deny' },
}

/**
 * The same for what is answered before any route, and so any hook, is found: the address was none, or the
 * request no HTTP. There is nothing to load in such an answer.
 */
export const BARE_HEADERS = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': `max-age=${A_YEAR}; includeSubDomains`,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
})

/** Answers what Fastify refuses before it has found a route. */
export function answerUnroutable(
  error: RaisedError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  return answerFailure(error, request, reply.headers(BARE_HEADERS))
}
