import type { FastifyInstance, FastifyRequest } from 'fastify'
import { atMostEvery, EventStream } from './http/event-stream.js'
import { endedMeanwhile } from './http/failures.js'
import { GUARDED } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { Events } from './openapi/schemas.js'

/** In ms. */
const SIGN_INS_EVERY = 1000

const LIVE: Operation = {
  id: 'live',
  tag: 'Sign-ins',
  summary: 'Follow your sign-in',
  description:
    'Server-sent events. `hello` comes first. `sign_ins`: your list may have changed. `signed_out`: your sign-in has ended, ' +
    'with the error code of a later request. Then the stream closes. A comment comes every 20 seconds.',
  guarded: true,
  plain: { type: 'text/event-stream', schema: Events },
  refusals: GUARDED,
}

/** The code with which a request with the same credential would be refused. null: the sign-in may be live. */
function refusalOf(request: FastifyRequest): string | null {
  const { reason } = request.endSignal
  if (reason?.code === 'STORE_UNAVAILABLE') return null
  const resolution = request.server.authModes.get(request.identity.mode).resolve(request)
  if (!('then' in resolution)) return resolution.kind === 'refused' ? resolution.code : reason.code
  // Nobody waits for a store here.
  resolution.catch(() => {})
  return reason.code
}

/** Tells the caller about its own sign-in, until that ends. */
export async function liveRoutes(app: FastifyInstance): Promise<void> {
  app.get(
    '/live',
    { preHandler: app.guard({ scope: 'read' }), exposeHeadRoute: false, config: { operation: LIVE } },
    async function live(request, reply) {
      const { accountId, signInId } = request.identity
      const record = await app.signIns.find(accountId, signInId)
      if (!record) throw endedMeanwhile()
      app.live.bindStream(request, reply)
      const stream = new EventStream()
      const expiresAt = Math.min(record.idleExpiresAt, record.absoluteExpiresAt)
      stream.send('hello', { sign_in_id: signInId, expires_at: new Date(expiresAt).toISOString() })
      const tell = atMostEvery(SIGN_INS_EVERY, () => stream.send('sign_ins', {}))
      stream.once('close', app.live.onSignIns(accountId, tell))
      request.endSignal.addEventListener('abort', function tellEnd() {
        const error = refusalOf(request)
        if (error !== null) stream.send('signed_out', { error })
        stream.finish()
      })
      // nginx would collect the events in a buffer.
      return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(stream)
    },
  )
}
