import type { SignInRef } from '../../contract.js'
import { RevocationList } from '../../revocation/list.js'
import { endedSignIn, type Revocation, raisedEpoch } from '../../revocation/revocation.js'
import type { Rotation, SessionRecord, SignInRecord, StateStore } from '../contract.js'
import {
  CLOCK_MARGIN,
  isToEnd,
  isWithinLimits,
  mayBind,
  movedIdleLimit,
  newestFirst,
  newGeneration,
  revokedUntil,
  rotate,
  SPENT_MARGIN,
  withinLimits,
} from '../rules.js'

/**
 * A state store in this process's memory, for tests: everybody is signed out when the process ends.
 * No operation awaits anything, except the end of a sweep. So each is atomic.
 */
export function createMemoryStore(): StateStore {
  return new MemoryStore()
}

class MemoryStore implements StateStore {
  readonly kind = 'memory'
  readonly #generation = newGeneration()
  readonly #revocations = new RevocationList(Number.POSITIVE_INFINITY)
  readonly #signIns = new Map<string, Map<string, SignInRecord>>()
  readonly #sessions = new Map<string, SessionRecord>()
  /** What was used up, until when it matters. */
  readonly #spent = new Map<string, number>()

  constructor() {
    this.#revocations.adopt(this.#generation)
  }

  generation() {
    return this.#generation
  }

  isLive(ref: SignInRef) {
    return this.#revocations.judge(ref) === 'live'
  }

  revision() {
    return this.#revocations.revision
  }

  onRevoked(listener: () => void) {
    return this.#revocations.onRevoked(listener)
  }

  async addSignIn(record: SignInRecord) {
    const own = this.#ofAccount(record.accountId)
    dropPassed(own, record.createdAt - CLOCK_MARGIN)
    own.set(record.id, Object.freeze({ ...record }))
    this.#signIns.set(record.accountId, own)
    return [...own.values()].filter((each) => isWithinLimits(each, record.createdAt)).length
  }

  async findSignIn(accountId: string, id: string, now: number) {
    return withinLimits(this.#ofAccount(accountId).get(id), now)
  }

  async listSignIns(accountId: string, now: number) {
    const own = [...this.#ofAccount(accountId).values()]
    return newestFirst(own.filter((record) => isWithinLimits(record, now)))
  }

  async touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number) {
    const own = this.#ofAccount(accountId)
    const record = own.get(id)
    if (!record) return false
    const seen = Math.max(record.lastSeenAt, lastSeenAt)
    own.set(
      id,
      Object.freeze({ ...record, lastSeenAt: seen, idleExpiresAt: movedIdleLimit(record, idleExpiresAt) }),
    )
    return true
  }

  async rotateRefresh(accountId: string, id: string, rotation: Rotation) {
    const own = this.#ofAccount(accountId)
    const result = rotate(own.get(id), rotation)
    if (result.outcome === 'rotated') own.set(id, result.signIn)
    return result
  }

  async resealSignIn({ accountId, id, seal: known }: SignInRecord, seal: string) {
    const own = this.#ofAccount(accountId)
    const record = own.get(id)
    if (record && record.seal === known) own.set(id, Object.freeze({ ...record, seal }))
  }

  async settleBinding(accountId: string, id: string, binding: string, now: number, replaced?: string) {
    const own = this.#ofAccount(accountId)
    const record = withinLimits(own.get(id), now)
    if (!record || !mayBind(record, replaced ?? null)) return record
    const bound = Object.freeze({ ...record, binding })
    own.set(id, bound)
    return bound
  }

  async endSignIn(accountId: string, id: string, until: number) {
    return this.#end(accountId, id, revokedUntil(this.#ofAccount(accountId).get(id) ?? null, until))
  }

  async endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number) {
    const ending = [...this.#ofAccount(accountId).values()].filter((record) =>
      isToEnd(record, except, belowEpoch),
    )
    for (const record of ending) this.#end(accountId, record.id, revokedUntil(record))
    return ending.filter((record) => isWithinLimits(record, now)).map(({ id }) => id)
  }

  async raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number) {
    for (const revocation of raisedEpoch(accountId, epoch, spared, until)) this.#revoke(revocation)
  }

  async createSession(key: string, record: SessionRecord) {
    if (this.#sessions.has(key)) return false
    this.#sessions.set(key, Object.freeze({ ...record }))
    return true
  }

  readSession(key: string, now: number) {
    return withinLimits(this.#sessions.get(key), now)
  }

  async replaceSession(key: string, record: SessionRecord) {
    const stored = this.#sessions.get(key)
    if (!stored) return 'gone'
    if (stored.version !== record.version - 1) return 'conflict'
    this.#sessions.set(key, Object.freeze({ ...record }))
    return 'replaced'
  }

  async touchSession(key: string, idleExpiresAt: number) {
    const stored = this.#sessions.get(key)
    if (!stored) return false
    this.#sessions.set(
      key,
      Object.freeze({ ...stored, idleExpiresAt: movedIdleLimit(stored, idleExpiresAt) }),
    )
    return true
  }

  async destroySession(key: string) {
    return this.#sessions.delete(key)
  }

  async spendOnce(key: string, until: number, now: number) {
    for (const [each, end] of this.#spent) if (end <= now - SPENT_MARGIN) this.#spent.delete(each)
    if (this.#spent.has(key)) return false
    this.#spent.set(key, until)
    return true
  }

  async ping() {}

  async sweep(now: number) {
    dropPassed(this.#sessions, now)
    for (const [accountId, own] of this.#signIns) {
      dropPassed(own, now)
      if (own.size === 0) this.#signIns.delete(accountId)
    }
    await this.#revocations.sweep(now - CLOCK_MARGIN)
  }

  async close() {}

  #revoke([member, score, keep]: Revocation) {
    this.#revocations.put(member, score, Number(keep))
  }

  /** A map that is not stored yet when the account has no sign-in. */
  #ofAccount(accountId: string): Map<string, SignInRecord> {
    return this.#signIns.get(accountId) ?? new Map()
  }

  #end(accountId: string, id: string, until: number): boolean {
    this.#revoke(endedSignIn(id, until))
    const own = this.#ofAccount(accountId)
    const sessionKey = own.get(id)?.sessionKey
    if (sessionKey) this.#sessions.delete(sessionKey)
    return own.delete(id)
  }
}

function dropPassed<T extends Parameters<typeof isWithinLimits>[0]>(records: Map<string, T>, now: number) {
  for (const [key, record] of records) if (!isWithinLimits(record, now)) records.delete(key)
}
