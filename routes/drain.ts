import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/**
 * Lets a stopping server end in time: a request that was under way when it began to stop is answered, and its
 * connection closed. Left open for another request, it would hold up the stop until the keep-alive timeout.
 */
export function drainConnections(app: FastifyInstance): void {
  let stopping = false
  app.addHook('preClose', function noteStop(done) {
    stopping = true
    done()
  })
  app.addHook(
    'onSend',
    function closeConnection(_request: FastifyRequest, reply: FastifyReply, _payload, done) {
      if (stopping) reply.header('connection', 'close')
      done()
    },
  )
}
