import type { FastifyInstance } from 'fastify'
import type { Clock } from 'fastify-identity'
import { answer } from './http/answer.js'
import { quietRoute } from './http/quiet-log.js'
import type { Operation } from './openapi/operation.js'

/** How long an outcome is reused, in ms. */
const PROBE_INTERVAL = 1000

/**
 * All callers share one probe, at most one a second, because an embedded store writes to the disk for each probe.
 * @param clock in ms. If it is set back, the outcome counts as too old.
 */
function sharedProbe(probe: () => Promise<unknown>, clock: Clock): () => Promise<unknown> {
  let outcome: Promise<unknown> = Promise.resolve()
  let startedAt = Number.NEGATIVE_INFINITY
  let isRunning = false
  return () => {
    if (isRunning || Math.abs(clock() - startedAt) < PROBE_INTERVAL) return outcome
    startedAt = clock()
    isRunning = true
    outcome = probe().finally(() => {
      isRunning = false
    })
    return outcome
  }
}

const HEALTHZ: Operation = {
  id: 'healthz',
  tag: 'Machinery',
  summary: 'Check that the process runs',
  says: 'UP',
  refusals: [],
}

const READYZ: Operation = {
  id: 'readyz',
  tag: 'Machinery',
  summary: 'Check that the stores take writes',
  description:
    'Also checks the clock against Redis. All callers share the outcome, which is renewed at most once a second.',
  says: 'READY',
  refusals: ['STORE_UNAVAILABLE'],
}

/** For load balancers: whether the process runs, and whether its stores take writes. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  const takeWrites = sharedProbe(
    async () => Promise.all([app.stateStore.ping(), app.accounts.ping()]),
    app.identityClock,
  )

  app.get(
    '/healthz',
    { ...quietRoute(app), config: { operation: HEALTHZ } },
    async function healthz(request) {
      return answer(request, 'UP')
    },
  )

  app.get('/readyz', { ...quietRoute(app), config: { operation: READYZ } }, async function readyz(request) {
    await takeWrites()
    return answer(request, 'READY')
  })
}
