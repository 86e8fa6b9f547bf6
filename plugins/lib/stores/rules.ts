import { randomInt } from 'node:crypto'
import type { RefreshState, Rotation, RotationResult, RotationTerms, SignInRecord } from './contract.js'

/*
 * The rules that every adapter shares. The Redis adapter repeats some of them in Lua; the contract suite keeps the two
 * alike.
 */

/** 1 to 2^48 - 2, at random. The generation after a lost list is the same with a chance of 1 in 2^48. */
export function newGeneration(): number {
  return randomInt(1, 2 ** 48 - 1)
}

/** The `revision` of a store that needs a lookup to know which sign-ins are live. */
export const UNKNOWN_REVISION = -1

type Limits = Pick<SignInRecord, 'idleExpiresAt' | 'absoluteExpiresAt'>

/** A limit is passed when `now` reaches it. Times are in ms. */
export function isWithinLimits(limits: Limits, now: number): boolean {
  return now < limits.idleExpiresAt && now < limits.absoluteExpiresAt
}

/** The record, or null if there is none or it is past its limits. */
export function withinLimits<T extends Limits>(record: T | null | undefined, now: number): T | null {
  return record && isWithinLimits(record, now) ? record : null
}

/**
 * How far the clocks of two instances may differ, in ms. The end of a sign-in is kept this long after its last credential
 * has expired, and a sweep leaves it for as long again. The instance that ended it may be behind, the one that sweeps may
 * be ahead, and the one that answers may be behind as well.
 */
export const CLOCK_MARGIN = 3_600_000

/**
 * The time (ms) until which the end of a sign-in is kept: `until`, or the time at which all its credentials have
 * expired by every clock, if that is earlier. No credential outlives its record's absolute limit, which never moves.
 * Without a record, that limit is unknown.
 */
export function revokedUntil(
  record: Pick<SignInRecord, 'absoluteExpiresAt'> | null,
  until = Number.POSITIVE_INFINITY,
): number {
  return record ? Math.min(until, record.absoluteExpiresAt + CLOCK_MARGIN) : until
}

/** How much longer than needed a store keeps what was used up, in ms: the clocks of two instances may differ by this. */
export const SPENT_MARGIN = 300_000

/** Whether the sign-in's binding may be written: there is none, or it is the one to replace. */
export function mayBind({ binding = null }: SignInRecord, replaced: string | null): boolean {
  return binding === replaced
}

/** Whether ending an account's sign-ins ends this one: all except `except`, optionally only those below an epoch. */
export function isToEnd(record: SignInRecord, except: string | null, belowEpoch?: number): boolean {
  return record.id !== except && (belowEpoch === undefined || record.epoch < belowEpoch)
}

/** The idle limit after a touch: moved forward, never back, never past the absolute limit (ms). */
export function movedIdleLimit(limits: Limits, idleExpiresAt: number): number {
  return Math.max(limits.idleExpiresAt, Math.min(idleExpiresAt, limits.absoluteExpiresAt))
}

/** Sorts by creation, and by id for equal times, so that every adapter lists them alike. */
export function newestFirst(records: SignInRecord[]): SignInRecord[] {
  return records.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
}

function meetsTerms(
  { epoch, absoluteExpiresAt, claims, seal }: SignInRecord,
  terms?: RotationTerms,
): boolean {
  if (!terms) return true
  // A seal is longer than the claims in it.
  const bytes = Buffer.byteLength(JSON.stringify(claims)) + (seal?.length ?? 0)
  return epoch >= terms.epoch && absoluteExpiresAt >= terms.endsAfter && bytes <= terms.claimsMax
}

/**
 * Judges a presented refresh token. A counter above the stored one means that the store lost a write: tokens are derived
 * from the counter, so a genuine one was issued.
 */
export function judgeRefresh(stored: RefreshState, rotation: Rotation): 'rotated' | 'repeated' | 'reused' {
  const { presented, now, grace } = rotation
  if (presented >= stored.counter) return 'rotated'
  return presented === stored.counter - 1 && now < stored.rotatedAt + grace ? 'repeated' : 'reused'
}

/**
 * Judges a rotation.
 * @param record as stored
 * @returns if `rotated`, the sign-in as it must be stored
 */
export function rotate(record: SignInRecord | null | undefined, rotation: Rotation): RotationResult {
  const signIn = withinLimits(record, rotation.now)
  if (!signIn?.refresh) return { outcome: 'gone' }
  if (!meetsTerms(signIn, rotation.terms)) return { outcome: 'unmet', signIn }
  const outcome = judgeRefresh(signIn.refresh, rotation)
  if (outcome !== 'rotated') return { outcome, signIn }
  return { outcome, signIn: Object.freeze({ ...signIn, refresh: rotatedState(rotation) }) }
}

/** The refresh state after a rotation. */
export function rotatedState(rotation: Rotation): RefreshState {
  return Object.freeze({
    counter: rotation.presented + 1,
    keyId: rotation.keyId,
    rotatedAt: rotation.now,
  })
}
