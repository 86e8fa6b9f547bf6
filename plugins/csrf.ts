import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { OptionInvalid } from './lib/errors.js'
import { useCors } from './lib/http/cors.js'
import {
  type Csrf,
  checkLogoutOrigin,
  checkSameOrigin,
  hasTwoHosts,
  isUnsafe,
  parseOrigins,
} from './lib/http/same-origin.js'
import { type Known, refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    csrf: Csrf
  }
}

export type { Csrf }
/** Whether a request has more than one `Host` line (RFC 9112 §3.2 requires 400). */
export { hasTwoHosts }

export interface CsrfOptions {
  /** Other origins that may call with credentials, such as `https://app.example.com`. */
  readonly allowedOrigins?: readonly string[]
  /**
   * Registers @fastify/cors for `allowedOrigins`, unless the application has registered it before. Defaults to true.
   * Set it to false if the application answers preflights in another way, or registers @fastify/cors later or in a
   * scope.
   */
  readonly cors?: boolean
}

const OPTIONS: Known<CsrfOptions> = { allowedOrigins: true, cors: true }

async function csrf(app: FastifyInstance, options: CsrfOptions): Promise<void> {
  refuseUnknown(options, OPTIONS)
  const { allowedOrigins = [], cors = true } = options
  if (typeof cors !== 'boolean') throw new OptionInvalid('cors', 'wants true or false')
  const allowed = parseOrigins(allowedOrigins)
  if (cors) await useCors(app, allowed)
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
