import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendFailure } from './answer.js'

/** In seconds: to somebody else, where several servers share the work, or to this one's successor. */
const RETRY_AFTER = '1'

/**
 * Lets a stopping server end in time: a request that was under way when it began to stop is answered, and its
 * connection closed. Left open for another request, it would hold up the stop until the keep-alive timeout.
 *
 * What comes after that, on a connection that was open already, is refused before anything is done for it. Fastify would
 * do so by itself, in a form of its own: `return503OnClosing` is to be off, and this to come after the hooks that set
 * the headers of every answer.
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
