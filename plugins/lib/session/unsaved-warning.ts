import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionTurn } from './turn.js'

/**
 * Warns once for each route that changes `request.session` and answers without Fastify (`reply.hijack()`, `reply.raw`).
 * Nothing saves the session then, and the change is lost.
 */
export class UnsavedWarning {
  /** By the routes' `config` objects. */
  readonly #told = new WeakSet<object>()

  /** Call it after the response: until then the route may save. */
  check(request: FastifyRequest, reply: FastifyReply, turn: SessionTurn): void {
    // Without headers the client hung up before any answer.
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
