import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { answerFailure, type RaisedError } from './failures.js'
import { PAGE_POLICY } from './page.js'

/** In seconds: what browsers' preload lists ask for at least. */
const A_YEAR = 31_536_000

/** To come back over TLS alone, to guess no types, to name our addresses to nobody, and to let no other site frame or embed us. */
const COMMON = {
  // Most answers depend on who is asking, or are true only now: what a cache may keep says so itself.
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': `max-age=${A_YEAR}; includeSubDomains`,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/**
 * What every answer tells a browser: that, to run and load nothing but our own files, and to leave the features of old
 * browsers off that would say otherwise. Written out, since they are the same for every answer: made anew for each,
 * as @fastify/helmet does, they would cost more than knowing who asks. A test holds them to what it would send.
 */
export const SECURITY_HEADERS = Object.freeze({
  ...COMMON,
  'content-security-policy': PAGE_POLICY,
  'origin-agent-cluster': '?1',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
})

/**
 * The same for what is answered before any route, and so any hook, is found: the address was none, or the
 * request no HTTP. There is nothing to load in such an answer.
 */
export const BARE_HEADERS = Object.freeze({
  ...COMMON,
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
})

function setSecurityHeaders(
  _request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  reply.headers(SECURITY_HEADERS)
  done()
}

/** To be called before whatever answers by itself, or has headers of its own to say instead. */
export function useSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', setSecurityHeaders)
}

/** Answers what Fastify refuses before it has found a route. */
export function answerUnroutable(
  error: RaisedError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  return answerFailure(error, request, reply.headers(BARE_HEADERS))
}
