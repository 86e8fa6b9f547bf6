import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { hasTwoHosts } from 'fastify-identity/csrf'
import { HostAmbiguous } from 'fastify-identity/errors'
import helmet, { type HelmetOptions } from 'helmet'
import { PAGE_POLICY } from '../page.js'
import { answerFailure, answerNotFound, type RaisedError } from './failures.js'

/** In seconds: the minimum of browsers' preload lists. */
const A_YEAR = 31_536_000

/** TLS only, no type sniffing, no Referer, and no framing or embedding by other sites. */
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
 * The headers of every answer. Helmet computes them once: they never change, and computing them takes longer than
 * recognising the caller.
 */
export const SECURITY_HEADERS: Headers = Object.freeze({
  // Most answers depend on the caller or the moment. A cacheable answer sets its own header.
  'cache-control': 'no-store',
  ...headersOfHelmet(),
})

/**
 * The headers of answers to malformed URLs and malformed HTTP, which no route or hook sees. Such an answer may load
 * nothing.
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
 * A request with two `Host` lines is invalid (RFC 9112 §3.2). `*` means the whole server (§3.2.4), but Fastify would
 * route it to the page at `/`.
 */
function refuseOddTargets(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (hasTwoHosts(request)) answerFailure(new HostAmbiguous(), request, reply)
  else if (request.raw.url === '*') answerNotFound(request, reply)
  else done()
}

/** Must be called before any plugin that answers by itself or sets its own headers. */
export function useSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', setSecurityHeaders)
  app.addHook('onRequest', refuseOddTargets)
}

/** Answers requests that Fastify refuses before routing. */
export function answerUnroutable(
  error: RaisedError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  return answerFailure(error, request, reply.headers(BARE_HEADERS))
}
