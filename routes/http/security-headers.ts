import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { hasTwoHosts } from 'fastify-identity/csrf'
import { HostAmbiguous } from 'fastify-identity/errors'
import helmet, { type HelmetOptions } from 'helmet'
import { PAGE_POLICY } from '../page.js'
import { answerFailure, answerNotFound, type RaisedError } from './failures.js'

/** In seconds: what browsers' preload lists ask for at least. */
const A_YEAR = 31_536_000

/** To come back over TLS alone, to guess no types, to name our addresses to nobody, and to let no other site frame or embed us. */
const OPTIONS: HelmetOptions = {
  contentSecurityPolicy: PAGE_POLICY,
  strictTransportSecurity: { maxAge: A_YEAR, includeSubDomains: true },
  referrerPolicy: { policy: 'no-referrer' },
  crossOriginOpenerPolicy: { policy: 'same-origin' },
  crossOriginResourcePolicy: { policy: 'same-origin' },
  xFrameOptions: { action: 'deny' },
}

/** Names in lower case, as Fastify keeps them. */
type Headers = Readonly<Record<string, string>>

function headersOfHelmet(): Headers {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  helmet(OPTIONS)(response.req, response, (error) => {
    if (error) throw error
  })
  return Object.fromEntries(
    Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]),
  )
}

/**
 * What every answer tells a browser: that, and to run and load nothing but our own files. Helmet is asked once: for each
 * answer it would say the same, and take more time for it than finding out who asks.
 */
export const SECURITY_HEADERS: Headers = Object.freeze({
  // Most answers depend on who is asking, or are true only now: what a cache may keep says so itself.
  'cache-control': 'no-store',
  ...headersOfHelmet(),
})

/**
 * The same for what is answered before any route, and so any hook, is found: the address was none, or the
 * request no HTTP. There is nothing to load in such an answer.
 */
export const BARE_HEADERS: Headers = Object.freeze({
  ...SECURITY_HEADERS,
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

/**
 * Two `Host` lines are no request (RFC 9112 §3.2). And `*` is the server as a whole (§3.2.4): Fastify would take it for
 * the page at `/`.
 */
function refuseOddTargets(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (hasTwoHosts(request)) answerFailure(new HostAmbiguous(), request, reply)
  else if (request.raw.url === '*') answerNotFound(request, reply)
  else done()
}

/** To be called before whatever answers by itself, or has headers of its own to say instead. */
export function useSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', setSecurityHeaders)
  app.addHook('onRequest', refuseOddTargets)
}

/** Answers what Fastify refuses before it has found a route. */
export function answerUnroutable(
  error: RaisedError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  return answerFailure(error, request, reply.headers(BARE_HEADERS))
}
