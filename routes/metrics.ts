import type { FastifyInstance } from 'fastify'
import { quietRoute } from './http/quiet-log.js'
import type { Operation } from './openapi/operation.js'
import { Exposition } from './openapi/schemas.js'

const METRICS: Operation = {
  id: 'metrics',
  tag: 'Machinery',
  summary: 'Metrics for Prometheus',
  description: 'In production only with METRICS=true. Prometheus text format, version 0.0.4.',
  plain: { type: 'text/plain', schema: Exposition },
  refusals: [],
}

/**
 * For Prometheus. It needs no credential, since scrapers have none. In production it is therefore off by default,
 * and should be reachable only from inside.
 */
export async function metricsRoutes(app: FastifyInstance): Promise<void> {
  const { contentType } = app.identityMetrics

  app.get(
    '/metrics',
    { ...quietRoute(app), config: { operation: METRICS } },
    async function metrics(_request, reply) {
      reply.type(contentType)
      return app.identityMetrics.text()
    },
  )
}
