import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { checkLogoutOrigin, checkSameOrigin, isUnsafe, parseOrigins } from './lib/http/same-origin.js'
import { refuseUnknown } from './lib/options.js'

type Hook = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** The same-origin check, for routes that the guard doesn't cover. */
export interface Csrf {
  /** Hook for logins and refreshes: refuses a request from another site (`CROSS_SITE`). */
  readonly sameOrigin: Hook
  /** Hook for logouts, `GET` ones included (`CROSS_SITE`, `PREFETCH`). */
  readonly logout: Hook
  /**
   * What the guard calls once a mode with ambient authority recognised the caller: refuses an unsafe request, or a
   * WebSocket handshake, from another site.
   * @throws CROSS_SITE
   */
  checkAmbient(request: FastifyRequest): void
}

declare module 'fastify' {
  interface FastifyInstance {
    csrf: Csrf
  }
}

export interface CsrfOptions {
  /** Other origins that may call with credentials, such as `https://app.example.com`. */
  readonly allowedOrigins?: readonly string[]
}

async function csrf(app: FastifyInstance, options: CsrfOptions): Promise<void> {
  refuseUnknown(options, { allowedOrigins: true })
  const allowed = parseOrigins(options.allowedOrigins ?? [])
  app.decorate('csrf', {
    sameOrigin: function refuseCrossSite(request, _reply, done) {
      checkSameOrigin(request, allowed)
      done()
    },
    logout: function refuseCrossSiteLogout(request, _reply, done) {
      checkLogoutOrigin(request, allowed)
      done()
    },
    checkAmbient(request) {
      if (isUnsafe(request)) checkSameOrigin(request, allowed)
    },
  })
}

export default fp(csrf, { fastify: '5.x', name: 'fastify-identity-csrf' })
