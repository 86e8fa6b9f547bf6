import type { FastifyInstance } from 'fastify'
import * as errors from '../errors.js'
import type { Instruments } from './instruments.js'

/** The codes of all errors that refuse a request. Those of status 500 are mistakes of the application. */
export const REASONS: readonly string[] = Object.values(errors)
  .map((Raised) => new Raised(''))
  .filter(({ statusCode }) => statusCode !== 500)
  .map(({ code }) => code)

/** Counts the refusals of all routes that are registered later. Requests that pass cost nothing. */
export function countRefusals(app: FastifyInstance, instruments: Instruments): void {
  const known = new Set(REASONS)
  const refusals = instruments.counter(
    'refusals_total',
    REASONS.map((reason) => ({ reason })),
  )
  app.addHook('onError', function countRefusal(_request, _reply, error, done) {
    if (known.has(error.code)) refusals.inc({ reason: error.code })
    done()
  })
}
