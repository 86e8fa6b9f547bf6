import type { FastifyInstance } from 'fastify'
import { answer } from './answer.js'
import { quietRoute } from './quiet-log.js'

/** For load balancers: is the process up, and do its stores answer? */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  app.get('/healthz', quietRoute(app), async function healthz(request) {
    return answer(request, 'UP')
  })

  app.get('/readyz', quietRoute(app), async function readyz(request) {
    await Promise.all([app.stateStore.ping(), app.accounts.list({ limit: 1 })])
    return answer(request, 'READY')
  })
}
