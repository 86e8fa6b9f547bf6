import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { useAudit } from './audit.js'
import type { Audit } from './lib/audit.js'
import type { Clock, SignInRef } from './lib/contract.js'
import { checkClock, checkSeconds, refuseUnknown } from './lib/options.js'
import { checkCap, endBeyondCap } from './lib/sign-ins/cap.js'
import type { SignIns } from './lib/sign-ins/contract.js'
import { type Ending, noteBegun, tellEnded } from './lib/sign-ins/ending.js'
import { checkEpoch, endBelowEpoch, keptUntil, LONGEST_TTL, refuseDeadAtBirth } from './lib/sign-ins/epoch.js'
import { LastSeen } from './lib/sign-ins/last-seen.js'
import { listLive, pageLive, type SignInsPage, type SignInsQuery } from './lib/sign-ins/listing.js'
import { livenessOf } from './lib/sign-ins/liveness.js'
import { makeRecord, refOfRecord, type SignInStart } from './lib/sign-ins/record.js'
import { rotateLive } from './lib/sign-ins/rotation.js'
import { SealedRecords } from './lib/sign-ins/sealed-records.js'
import type { SignInRecord, StateStore } from './lib/stores/contract.js'

export type { Ending, SignInStart, SignIns, SignInsPage, SignInsQuery }
export { tellEnded }

declare module 'fastify' {
  interface FastifyInstance {
    signIns: SignIns
  }
}

export interface SignInsOptions {
  readonly clock?: Clock
  /**
   * The longest that any sign-in lives, in seconds, whatever its mode asks for: the end of one that is not on
   * record is remembered for so long, and a credential that lived on would come back. Defaults to 400 days, the
   * longest that a browser keeps a cookie.
   */
  readonly longestTtl?: number
  /** How many sign-ins of one account may live: a new one beyond it ends the oldest. Defaults to 100. */
  readonly cap?: number
}

/** Checked and completed. */
interface Settings {
  readonly clock: Clock
  readonly longestTtl: number
  readonly cap: number
  readonly audit: Audit
  readonly records: SealedRecords
}

const CAP = 100

function createSignIns(store: StateStore, seen: LastSeen, settings: Settings): SignIns {
  const { clock, longestTtl, cap, audit, records } = settings
  const end = (ref: Pick<SignInRef, 'accountId' | 'signInId'>) =>
    store.endSignIn(ref.accountId, ref.signInId, keptUntil(clock(), longestTtl))
  const endAndTell: SignIns['end'] = async (ref, ending) => {
    const existed = await end(ref)
    if (existed) tellEnded(audit, ref, ending)
    return existed
  }
  const makeRoom = async (
    request: FastifyRequest,
    record: SignInRecord,
    { options: { replaces: replaced }, leaving }: SignInStart,
    count: number,
  ) => {
    const { accountId } = record
    try {
      await refuseDeadAtBirth(store, request, record)
      if (replaced) await endAndTell(replaced, { by: 'self', why: 'replaced', actorId: accountId, request })
      const left = leaving?.signInId ?? null
      const beyond = count > cap ? await endBeyondCap(store, record, left, cap, clock()) : []
      for (const signInId of beyond)
        tellEnded(audit, { accountId, signInId }, { by: 'suite', why: 'cap', request })
    } catch (error) {
      // Nobody will hold the new one: taken back, as far as the store lets us, so that no list shows it.
      await end({ accountId, signInId: record.id }).catch(() => {})
      throw error
    }
  }
  return {
    async begin(request, start) {
      const absoluteTtl = Math.min(start.absoluteTtl, longestTtl)
      const record = makeRecord(request, { ...start, absoluteTtl }, await store.generation(), clock())
      const count = await records.add(record)
      await makeRoom(request, record, start, count)
      seen.mark(record.id)
      noteBegun(request, refOfRecord(record))
      return record
    },
    ...livenessOf(store),
    find: (accountId, id) => records.find(accountId, id, clock()),
    list: (accountId) => listLive(store, records, accountId, clock()),
    page: (accountId, query) => pageLive(store, records, accountId, query, clock()),
    noteSeen: (caller, marks, now) => seen.note(caller, marks, now),
    touch(ref, idleTtl) {
      const now = clock()
      seen.mark(ref.signInId)
      return store.touchSignIn(ref.accountId, ref.signInId, now, now + idleTtl * 1000)
    },
    rotate: (accountId, id, rotation) =>
      rotateLive(store, records, accountId, id, { ...rotation, now: clock() }),
    end: endAndTell,
    async endAll(accountId, except, ending) {
      const ids = await store.endSignIns(accountId, except ?? null, clock())
      for (const signInId of ids) tellEnded(audit, { accountId, signInId }, ending)
      return ids.length
    },
    async raiseEpoch({ id, epoch }, { spare = null } = {}) {
      checkEpoch(epoch)
      return endBelowEpoch({ store, audit, longestTtl, now: clock() }, { id, epoch }, spare)
    },
  }
}

/** @throws OPTION_INVALID */
async function signIns(app: FastifyInstance, options: SignInsOptions): Promise<void> {
  refuseUnknown(options, { clock: true, longestTtl: true, cap: true })
  const clock = checkClock(options.clock ?? Date.now)
  const longestTtl = checkSeconds('longestTtl', options.longestTtl ?? LONGEST_TTL)
  const cap = checkCap(options.cap ?? CAP)
  const seen = new LastSeen({ store: app.stateStore, clock, log: app.log })
  app.addHook('onClose', function finishLastSeen() {
    return seen.settle()
  })
  await useAudit(app, clock)
  const { stateStore: store, audit } = app
  const records = new SealedRecords(store, app.keyRing.purpose('sign-in'))
  app.decorate('signIns', createSignIns(store, seen, { clock, longestTtl, cap, audit, records }))
}

export default fp(signIns, {
  fastify: '5.x',
  name: 'fastify-identity-sign-ins',
  dependencies: ['fastify-identity-stores', 'fastify-identity-core'],
})
