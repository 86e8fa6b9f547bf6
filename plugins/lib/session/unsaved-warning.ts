import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionTurn } from './turn.js'

/**
 * Warns of a route that changes `request.session` and answers without Fastify (`reply.hijack()`, `reply.raw`), where
 * nothing saves the session before the answer: the change is lost.
 */
export class UnsavedWarning {
  /** By the routes' configuration, which each has one of. */
  readonly #told = new WeakSet<object>()

  /** Once the response is over: until then the route may save. */
  check(request: FastifyRequest, reply: FastifyReply, turn: SessionTurn): void {
    // Without headers nothing was answered: the client hung up.
    if (!reply.raw.headersSent || !turn.isForgotten) return
    const { config, method, url } = request.routeOptions
    if (this.#told.has(config)) return
    this.#told.add(config)
    const route = `${method} ${url}`
    request.log.warn(
      `${route} changed request.session and never saved it. A route that answers by reply.hijack() or reply.raw calls await request.session.save() before it writes headers.`,
    )
  }
}
