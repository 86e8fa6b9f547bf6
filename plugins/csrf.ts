import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import {
  type Csrf,
  checkLogoutOrigin,
  checkSameOrigin,
  hasTwoHosts,
  isUnsafe,
  parseOrigins,
} from './lib/http/same-origin.js'
import { refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    csrf: Csrf
  }
}

export type { Csrf }
/** Whether a request came with more than one `Host` line (RFC 9112 §3.2 asks for 400). */
export { hasTwoHosts }

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
