import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { useAudit } from './audit.js'
import type { Audit } from './lib/audit.js'
import type { CheckedAccount, Clock, MaybePromise, SignInRef } from './lib/contract.js'
import { checkClock, checkSeconds, refuseUnknown } from './lib/options.js'
import { checkCap, endBeyondCap } from './lib/sign-ins/cap.js'
import { type Ending, noteBegun, tellEnded } from './lib/sign-ins/ending.js'
import { checkEpoch, endBelowEpoch, keptUntil, LONGEST_TTL, refuseDeadAtBirth } from './lib/sign-ins/epoch.js'
import { LastSeen } from './lib/sign-ins/last-seen.js'
import { listLive, pageLive, type SignInsPage, type SignInsQuery } from './lib/sign-ins/listing.js'
import { livenessOf } from './lib/sign-ins/liveness.js'
import type { Marks } from './lib/sign-ins/marks.js'
import { makeRecord, refOfRecord, type SignInStart } from './lib/sign-ins/record.js'
import { rotateLive } from './lib/sign-ins/rotation.js'
import { SealedRecords } from './lib/sign-ins/sealed-records.js'
import type { Rotation, RotationResult, SignInRecord, StateStore } from './lib/stores/contract.js'

export type { Ending, SignInStart, SignInsPage, SignInsQuery }
export { tellEnded }

/** The record of every live sign-in, whatever its mode. Every method may throw STORE_UNAVAILABLE. */
export interface SignIns {
  /**
   * Stores a sign-in, then ends the one that it replaces, and the account's oldest beyond the cap. Only after
   * that may the credential go out: one that is out although its predecessor could not be ended would leave two.
   * @throws EPOCH_PASSED for an account whose epoch is below the one that was raised for it: nothing is ended then
   */
  begin(request: FastifyRequest, start: SignInStart): Promise<SignInRecord>
  /** False once the sign-in was ended, its account's epoch was raised, or the revocation list was lost. */
  isLive(ref: SignInRef): MaybePromise<boolean>
  /** See StateStore: who was live under it is live for as long as it is the same, and not -1. Asks nobody. */
  revision(): number
  find(accountId: string, id: string): Promise<SignInRecord | null>
  /** The live ones, newest first. */
  list(accountId: string): Promise<SignInRecord[]>
  /** Some of these, from the newest or from where a page ended. */
  page(accountId: string, query: SignInsQuery): Promise<SignInsPage>
  /**
   * Writes that the caller was seen, without being waited for, at most once a minute for each sign-in. Cheap
   * when that is not due. Guards call it for whom they admit, with what they know of the credential, and the time (ms).
   */
  noteSeen(caller: Pick<SignInRef, 'accountId' | 'signInId'>, marks?: Marks, now?: number): void
  /** Moves last-seen to now, and the idle limit to `idleTtl` seconds from now. */
  touch(ref: SignInRef, idleTtl: number): Promise<boolean>
  /**
   * With terms `gone` also where the sign-in is not live. Without them whether it is was asked before.
   * See RotationResult.
   */
  rotate(accountId: string, id: string, rotation: Omit<Rotation, 'now'>): Promise<RotationResult>
  /**
   * Ends one, whether or not there is a record of it: a credential whose record was lost must not live on. Hence it
   * ends **whoever's it is**, also under another account's id, for without the record nothing says whose an id is.
   *
   * Hand it a ref that comes from a genuine credential, or from a record. Where the id comes from a client, ask
   * `find(accountId, id)` first, and where that is null end nothing: ids are no secrets, and who has seen somebody
   * else's (an administrator's list, a log) could sign them out.
   *
   * Where there was a record, that is an audit event; without an `ending` the application is said to have asked for it.
   * @returns whether the account had a record of it
   */
  end(ref: Pick<SignInRef, 'accountId' | 'signInId'>, ending?: Ending): Promise<boolean>
  /**
   * Ends all that the account has now, but `except`. One that begins at the same moment counts as begun
   * after this, and lives: whoever knows the password could begin one a moment later all the same. What
   * ends those too, and with them every login under way, is a raised epoch.
   * @returns how many
   */
  endAll(accountId: string, except?: string, ending?: Ending): Promise<number>
  /**
   * Ends every sign-in of the account that began under an epoch below this one, with one write, which the
   * account's `epoch` decides and no time: those of this very moment are ended, and so is a login under way
   * whose password was verified before. `spare` is the id of a sign-in that lives on.
   *
   * The records go after that. When it throws, it may have happened or not: calling again does no harm.
   * @returns how many there were
   * @throws OPTION_INVALID for an epoch that can end nothing, STORE_UNAVAILABLE
   */
  raiseEpoch(
    account: Pick<CheckedAccount, 'id' | 'epoch'>,
    options?: { readonly spare?: string | null },
  ): Promise<number>
}

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
