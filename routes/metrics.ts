import type { FastifyInstance } from 'fastify'
import { quietRoute } from './http/quiet-log.js'

/**
 * For Prometheus. It needs no credential, since scrapers have none. In production it is therefore off by default,
 * and should be reachable only from inside.
 */
export async function metricsRoutes(app: FastifyInstance): Promise<void> {
  const { contentType } = app.identityMetrics

  app.get('/metrics', quietRoute(app), async function metrics(_request, reply) {
    reply.type(contentType)
    return app.identityMetrics.text()
  })
}
