import type { FastifyRequest } from 'fastify'
import type { CheckedAccount, Claims, SignInOptions, SignInRef } from '../contract.js'
import { checkFactors } from '../credentials/given-factors.js'
import { clientAddress } from '../http/client-address.js'
import type { SignInRecord } from '../stores/contract.js'
import { newSignInId } from './record-seal.js'

/** A sign-in that a mode starts. TTLs are in seconds. */
export interface SignInStart {
  readonly mode: string
  readonly account: CheckedAccount
  readonly options: SignInOptions
  /** Ends the sign-in if it is not used for this time. Without it, only the absolute limit applies. */
  readonly idleTtl?: number
  /** Ends the sign-in, used or not. */
  readonly absoluteTtl: number
  /** Session mode: key of the session record, which ends with the sign-in. */
  readonly sessionKey?: string
  /** A sign-in that the mode itself ends after this one has begun. The cap does not count it. */
  readonly leaving?: Pick<SignInRef, 'accountId' | 'signInId'> | undefined
  /** Token mode: id of the key under which the first refresh token is derived. */
  readonly refreshKeyId?: string
  /** Token mode: claims for access tokens issued later. Checked by the mode. */
  readonly claims?: Claims
  /** What the sign-in is bound to from its beginning, or that this is still to be settled. */
  readonly binding?: string
  /** For a mode with a RecordKeeper: stores the record there. Such a sign-in does not count for the cap. */
  readonly keep?: (record: SignInRecord) => Promise<void>
  /** An id that the mode has made. */
  readonly id?: string
}

const USER_AGENT_MAX = 256
/** The binding of a sign-in that is not bound to a device: for good, or until that is settled. See lib/device/bindings.ts. */
const UNBOUND = /^d1\.[\w-]+\.(?:none|open)\./

/** The record of a sign-in that starts `now` (ms). @throws OPTION_INVALID for factors that are none */
export function makeRecord(
  request: FastifyRequest,
  start: SignInStart,
  generation: number,
  now: number,
): SignInRecord {
  const absoluteExpiresAt = now + start.absoluteTtl * 1000
  const { factors = ['password' as const] } = start.options
  const idleExpiresAt = start.idleTtl === undefined ? absoluteExpiresAt : now + start.idleTtl * 1000
  return {
    id: start.id ?? newSignInId(),
    accountId: start.account.id,
    mode: start.mode,
    epoch: start.account.epoch,
    generation,
    createdAt: now,
    lastSeenAt: now,
    idleExpiresAt: Math.min(idleExpiresAt, absoluteExpiresAt),
    absoluteExpiresAt,
    ip: clientAddress(request),
    userAgent: String(request.headers['user-agent'] ?? '').slice(0, USER_AGENT_MAX),
    sessionKey: start.sessionKey ?? null,
    refresh:
      start.refreshKeyId === undefined ? null : { counter: 0, keyId: start.refreshKeyId, rotatedAt: now },
    claims: start.claims && Object.keys(start.claims).length > 0 ? start.claims : null,
    factors: checkFactors(factors, now),
    ...(start.binding !== undefined && { binding: start.binding }),
  }
}

/** Whether credentials of the sign-in need proofs by the key of its client. For lists: no MAC is verified. */
export function isBound({ binding }: Pick<SignInRecord, 'binding'>): boolean {
  return typeof binding === 'string' && !UNBOUND.test(binding)
}

/** The reference in the sign-in's credentials. */
export function refOfRecord({ accountId, id, epoch, generation }: SignInRecord): SignInRef {
  return { accountId, signInId: id, epoch, generation }
}
