import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { useAudit } from './audit.js'
import type { Clock } from './lib/contract.js'
import { checkClock, checkSeconds, checkWhole, refuseUnknown } from './lib/options.js'
import { CAP, CAP_MAX } from './lib/sign-ins/cap.js'
import type { SignIns } from './lib/sign-ins/contract.js'
import { type Ending, tellEnded } from './lib/sign-ins/ending.js'
import { LONGEST_TTL } from './lib/sign-ins/epoch.js'
import { LastSeen } from './lib/sign-ins/last-seen.js'
import type { SignInsPage, SignInsQuery } from './lib/sign-ins/listing.js'
import { isBound, type SignInStart } from './lib/sign-ins/record.js'
import { SealedRecords } from './lib/sign-ins/sealed-records.js'
import { createSignIns } from './lib/sign-ins/sign-ins.js'

export type { Ending, SignInStart, SignIns, SignInsPage, SignInsQuery }
export { isBound, tellEnded }

declare module 'fastify' {
  interface FastifyInstance {
    signIns: SignIns
  }
}

export interface SignInsOptions {
  readonly clock?: Clock
  /**
   * The maximum lifetime of any sign-in, in seconds, even if its mode asks for more. If a sign-in has no record, its
   * end is remembered for this time. A credential that lived longer would work again. Defaults to 400 days, the longest
   * that a browser keeps a cookie.
   */
  readonly longestTtl?: number
  /** The maximum number of live sign-ins of one account. A new one beyond it ends the oldest. Defaults to 100. */
  readonly cap?: number
}

/** @throws OPTION_INVALID */
async function signIns(app: FastifyInstance, options: SignInsOptions): Promise<void> {
  refuseUnknown(options, { clock: true, longestTtl: true, cap: true })
  const clock = checkClock(options.clock ?? Date.now)
  const longestTtl = checkSeconds('longestTtl', options.longestTtl ?? LONGEST_TTL)
  const cap = checkWhole('cap', options.cap ?? CAP, 1, CAP_MAX)
  const seen = new LastSeen({ store: app.stateStore, clock, log: app.log })
  app.addHook('onClose', function finishLastSeen() {
    return seen.settle()
  })
  await useAudit(app, clock)
  const { stateStore: store, audit } = app
  const records = new SealedRecords(store, app.keyRing.purpose('sign-in'))
  app.decorate('signIns', createSignIns({ store, records, seen, audit, clock, longestTtl, cap }))
}

export default fp(signIns, {
  fastify: '5.x',
  name: 'fastify-identity-sign-ins',
  dependencies: ['fastify-identity-stores', 'fastify-identity-core'],
})
