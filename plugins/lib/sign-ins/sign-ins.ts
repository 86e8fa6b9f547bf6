import type { FastifyRequest } from 'fastify'
import type { Audit } from '../audit.js'
import type { Clock, SignInRef } from '../contract.js'
import { checkWhole, accountIdText as idText } from '../options.js'
import type { SignInRecord, StateStore } from '../stores/contract.js'
import { endBeyondCap } from './cap.js'
import type { SignIns } from './contract.js'
import { tellEnded } from './ending.js'
import { endBelowEpoch, keptUntil, refuseDeadAtBirth } from './epoch.js'
import { Keepers } from './keepers.js'
import type { LastSeen } from './last-seen.js'
import { type ListedRecords, listLive, pageLive } from './listing.js'
import { livenessOf } from './liveness.js'
import { makeRecord, refOfRecord, type SignInStart } from './record.js'
import { rotateLive } from './rotation.js'
import type { SealedRecords } from './sealed-records.js'

export interface SignInsParts {
  readonly store: StateStore
  readonly records: SealedRecords
  readonly seen: LastSeen
  readonly audit: Audit
  readonly clock: Clock
  /** In seconds. */
  readonly longestTtl: number
  readonly cap: number
}

/** Records of the state store and of the keepers. A keeper lists only live sign-ins, and knows no generation to ask with. */
function allRecords({ store, records }: SignInsParts, keepers: Keepers): ListedRecords {
  return {
    find: (accountId, id, now) => (keepers.of(id) ?? records).find(accountId, id, now),
    list: async (accountId, now) => keepers.join(await records.list(accountId, now), accountId, now),
    isLive: (record) => keepers.of(record.id) !== undefined || store.isLive(refOfRecord(record)),
  }
}

export function createSignIns(parts: SignInsParts): SignIns {
  const { store, seen, audit, clock, longestTtl, cap } = parts
  const keepers = new Keepers(store, longestTtl)
  const records = allRecords(parts, keepers)
  const end = (ref: Pick<SignInRef, 'accountId' | 'signInId'>) => {
    const keeper = keepers.of(ref.signInId)
    if (keeper) return keepers.endOne(keeper, ref, clock())
    return store.endSignIn(ref.accountId, ref.signInId, keptUntil(clock(), longestTtl))
  }
  const takeBack = async ({ accountId, id: signInId }: SignInRecord) => {
    await (keepers.of(signInId)?.end([signInId], clock()) ?? end({ accountId, signInId }))
  }
  const endAndTell: SignIns['end'] = async ({ accountId, signInId }, ending) => {
    const ref = { accountId: idText(accountId), signInId }
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
      // Nobody will hold the new one. Take it back if the store can, so that no list shows it.
      await takeBack(record).catch(() => {})
      throw error
    }
  }
  return {
    async begin(request, start) {
      const absoluteTtl = Math.min(start.absoluteTtl, longestTtl)
      const record = makeRecord(request, { ...start, absoluteTtl }, await store.generation(), clock())
      const count = start.keep ? await start.keep(record).then(() => 0) : await parts.records.add(record)
      await makeRoom(request, record, start, count)
      seen.mark(record.id)
      return record
    },
    addKeeper: (keeper) => keepers.add(keeper),
    isKept: (id) => keepers.of(id) !== undefined,
    ...livenessOf(store),
    find: async (accountId, id) => records.find(idText(accountId), id, clock()),
    list: async (accountId) => listLive(records, idText(accountId), clock()),
    page: async (accountId, query) => pageLive(records, idText(accountId), query, clock()),
    noteSeen: (caller, verified, now) =>
      (keepers.of(caller.signInId) ?? seen).noteSeen(caller, verified, now),
    touch(ref, idleTtl) {
      const now = clock()
      seen.mark(ref.signInId)
      return store.touchSignIn(ref.accountId, ref.signInId, now, now + idleTtl * 1000)
    },
    rotate: (accountId, id, rotation) =>
      rotateLive(store, parts.records, accountId, id, { ...rotation, now: clock() }),
    settleBinding: (accountId, id, binding, replaced) =>
      parts.records.settle(accountId, id, binding, clock(), replaced),
    async strengthen({ accountId, signInId }, given, strongFrom) {
      const record = await parts.records.addFactors(accountId, signInId, given, clock(), strongFrom)
      // This check comes last, because the record of an ended sign-in may exist for a moment longer.
      return record && (await store.isLive(refOfRecord(record))) ? record : null
    },
    end: endAndTell,
    async endAll(id, except, ending) {
      const accountId = idText(id)
      const tell = (ids: readonly string[]) => {
        for (const signInId of ids) tellEnded(audit, { accountId, signInId }, ending)
        return ids.length
      }
      // The state store first: a database that is away must not keep the sign-ins there alive.
      const ended = tell(await store.endSignIns(accountId, except ?? null, clock()))
      return except === undefined ? ended + tell(await keepers.endAll(accountId, clock())) : ended
    },
    async raiseEpoch({ id: given, epoch }, { spare = null } = {}) {
      // Credentials start at epoch 0, and none is below that.
      checkWhole('epoch', epoch, 1)
      const [id, now] = [idText(given), clock()]
      const spared = spare !== null && keepers.of(spare) ? null : spare
      // The state store first: it refuses all of them from then on, whatever becomes of the keepers.
      const ended = await endBelowEpoch({ store, audit, longestTtl, now }, { id, epoch }, spared)
      await keepers.endBelow(id, epoch, now)
      return ended
    },
  }
}
