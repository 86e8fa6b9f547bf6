import type { FastifyInstance } from 'fastify'
import { quietRoute } from './http/quiet-log.js'

/**
 * For Prometheus. Nobody has to be signed in: a scraper holds no credential, which is why it is off in production
 * unless it is asked for, and to be reached from inside only.
 */
export async function metricsRoutes(app: FastifyInstance): Promise<void> {
  const { contentType } = app.identityMetrics

  app.get('/metrics', quietRoute(app), async function metrics(_request, reply) {
    reply.type(contentType)
    return app.identityMetrics.text()
  })
}
