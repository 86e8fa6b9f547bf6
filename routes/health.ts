import type { FastifyInstance } from 'fastify'
import { answer } from './answer.js'

/** For load balancers: is the process up, and do its stores answer? */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  app.get('/healthz', async function healthz(request) {
    return answer(request, 'UP')
  })

  app.get('/readyz', async function readyz(request) {
    await Promise.all([app.stateStore.ping(), app.accounts.list({ limit: 1 })])
    return answer(request, 'READY')
  })
}
