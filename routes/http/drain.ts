import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendFailure } from './answer.js'

/** In seconds. By then another server, or the successor of this one, answers. */
const RETRY_AFTER = '1'

/**
 * Lets a stopping server end in time. It answers requests that are under way, and closes their connections. An open
 * connection would delay the stop until the keep-alive timeout.
 *
 * A later request on an open connection is refused before any other work. Fastify would refuse it in its own form, so
 * `return503OnClosing` must be off. This function must come after the hooks that set the headers of every answer.
 */
export function drainConnections(app: FastifyInstance): void {
  let stopping = false
  app.addHook('preClose', function noteStop(done) {
    stopping = true
    done()
  })
  app.addHook('onRequest', function refuseLate(request: FastifyRequest, reply: FastifyReply, done) {
    if (!stopping) return done()
    request.log.info({ code: 'STOPPING' }, 'request refused')
    sendFailure(request, reply.header('retry-after', RETRY_AFTER), 503, 'STOPPING')
  })
  app.addHook(
    'onSend',
    function closeConnection(_request: FastifyRequest, reply: FastifyReply, _payload, done) {
      if (stopping) reply.header('connection', 'close')
      done()
    },
  )
}
