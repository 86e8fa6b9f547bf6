import type { FastifyInstance } from 'fastify'
import type { Instruments } from './instruments.js'

/** The codes of all errors that refuse a request. Mistakes of an application are not among them. */
export const REASONS = `
NOT_SIGNED_IN TOKEN_EXPIRED TOKEN_INVALID CREDENTIAL_EXPIRED CREDENTIAL_INVALID SIGNED_OUT
CREDENTIAL_AMBIGUOUS HOST_AMBIGUOUS CREDENTIALS_REFUSED REFRESH_REFUSED ROLE_REQUIRED
SIGN_IN_TOO_OLD MODE_REQUIRED CROSS_SITE PREFETCH USERNAME_INVALID REGISTRATION_CLOSED
USERNAME_TAKEN PASSWORD_REFUSED LAST_ADMIN THROTTLED BUSY STORE_UNAVAILABLE
`
  .trim()
  .split(/\s/)

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
