import type { FastifyInstance } from 'fastify'

/**
 * In seconds. As long as other services may not know of a key that was added: a new one is published for
 * longer than that before it signs. The same for everybody, so that shared caches may keep it.
 */
const FRESH_FOR = 300

/** The public keys of our tokens (RFC 7517), so that other services verify them without asking us. */
export async function jwksRoutes(app: FastifyInstance): Promise<void> {
  // Without asymmetric keys an empty set, and no 404: it is the truth, and a verifier can tell it from an outage.
  const body = JSON.stringify(app.tokenKeys.jwks())

  app.get('/.well-known/jwks.json', async function jwks(_request, reply) {
    reply.header('cache-control', `public, max-age=${FRESH_FOR}`)
    reply.type('application/jwk-set+json')
    return body
  })
}
