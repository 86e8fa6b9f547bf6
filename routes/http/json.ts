import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { BodyInvalid } from './errors.js'

/**
 * JSON is UTF-8 (RFC 8259 §8.1). A lenient decoder replaces each invalid byte by U+FFFD. Two passwords in another
 * encoding would then be equal if their ASCII letters are equal.
 *
 * An empty body is accepted, since many clients send a content type with every request.
 */
function readStrictJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    function parseJson(request, body: Buffer, done) {
      if (body.length === 0) done(null)
      else if (isUtf8(body)) parse(request, body.toString(), done)
      else done(new BodyInvalid())
    },
  )
}

/** Only JSON is read: a form on another site can send text/plain without a preflight. */
export function readJsonOnly(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain')
  readStrictJson(app)
}
