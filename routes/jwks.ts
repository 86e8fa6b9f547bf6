import type { FastifyInstance } from 'fastify'
import type { Operation } from './openapi/operation.js'
import { KeySet } from './openapi/schemas.js'

/**
 * In seconds. Other services may not know a new key for this long, so it is published for longer before it signs.
 * The answer is the same for everybody, so shared caches may keep it.
 */
const FRESH_FOR = 300

const JWKS: Operation = {
  id: 'jwks',
  tag: 'Machinery',
  summary: 'The public keys of access tokens (RFC 7517)',
  plain: { type: 'application/jwk-set+json', schema: KeySet },
  refusals: [],
}

/** The public keys of our tokens (RFC 7517). Other services verify the tokens with them. */
export async function jwksRoutes(app: FastifyInstance): Promise<void> {
  // Without asymmetric keys: an empty set, not 404, so that a verifier can tell it from an outage.
  const body = JSON.stringify(app.tokenKeys.jwks())

  app.get('/.well-known/jwks.json', { config: { operation: JWKS } }, async function jwks(_request, reply) {
    reply.header('cache-control', `public, max-age=${FRESH_FOR}`)
    reply.type('application/jwk-set+json')
    return body
  })
}
