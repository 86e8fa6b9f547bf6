import type { FoundApiKey } from '../../api-key/contract.js'
import { recordOfKey } from '../../api-key/keeper.js'
import { ownerOf } from '../../api-key/lookup.js'
import type { GivenFactor, SignInRef } from '../../contract.js'
import { readFactors } from '../../credentials/given-factors.js'
import { refOf } from '../../credentials/identity-claims.js'
import { readSession } from '../../inspect.js'
import { sessionKeyOf } from '../../session/cookie.js'
import { strengthOf } from '../../session/steps.js'
import { refOfRecord } from '../../sign-ins/record.js'
import { SealedRecords } from '../../sign-ins/sealed-records.js'
import type { SignInRecord, StateStore } from '../../stores/contract.js'
import { judgeRefresh } from '../../stores/rules.js'
import type { RefreshClaims } from '../../token/refresh-token.js'
import type { Fault, InspectParts, Subject } from './finding.js'

/** The store's answer about a genuine credential. */
export interface Liveness {
  readonly fault: Fault | null
  readonly signIn: SignInRecord | null
  /** The factors of this session id. A newer id of the session may have more. */
  readonly factors?: readonly GivenFactor[]
  /** Further information for the reader. */
  readonly remark: string | null
}

const ENDED: Fault = {
  code: 'SIGNED_OUT',
  sentence:
    'Its sign-in has ended. Possible reasons: a sign-out, a new sign-in of the same client, another device, an administrator, a change of the password, role or state of the account, a sign-in beyond the cap, or a refresh token that was used twice. If the revocation list was lost, everybody has to sign in again.',
}
const KEY_ENDED: Fault = {
  code: 'SIGNED_OUT',
  sentence:
    'The key was ended, or its account is gone or disabled, or has a new password or role since the key was made.',
}
const NO_SESSION: Fault = {
  code: 'SIGNED_OUT',
  sentence:
    'The server has no record of this session: its sign-in has ended, it has reached its idle or absolute limit, or it is in another store.',
}
const REPLACED: Fault = {
  code: 'CREDENTIAL_INVALID',
  sentence: 'A step-up gave the session another id, more than ten seconds ago.',
}
const NO_REFRESH: Fault = {
  code: 'REFRESH_REFUSED',
  sentence: 'There is no such sign-in any more: it has ended or reached its limit.',
}
const REFRESH_ENDED: Fault = { ...ENDED, code: 'REFRESH_REFUSED' }
const USED: Fault = {
  code: 'REFRESH_REFUSED',
  sentence: 'It was used already. Using it again counts as theft, and ends the sign-in.',
}

const REFRESH_REMARKS = {
  rotated: 'It is the newest one.',
  repeated: 'It was just used. Within the grace it gets the same successor again.',
  reused: null,
} as const

export interface LivenessParts extends InspectParts {
  readonly store: StateStore
}

function recordsOf({ store, ring }: LivenessParts): SealedRecords {
  return new SealedRecords(store, ring.purpose('sign-in'))
}

async function signInLiveness(parts: LivenessParts, ref: SignInRef): Promise<Liveness> {
  const live = await parts.store.isLive(ref)
  const signIn = await recordsOf(parts).find(ref.accountId, ref.signInId, parts.now)
  return { fault: live ? null : ENDED, signIn, remark: null }
}

/** A lost revocation list ends no key. So the list is asked about the key under the list's current generation. */
async function keyLiveness({ store }: LivenessParts, found: FoundApiKey): Promise<Liveness> {
  const { accountId, id: signInId, epoch } = found.key
  const ref = { accountId, signInId, epoch, generation: await store.generation() }
  const isLive = ownerOf(found) !== null && (await store.isLive(ref))
  return { fault: isLive ? null : KEY_ENDED, signIn: recordOfKey(found.key), remark: null }
}

async function sessionLiveness(
  parts: LivenessParts,
  { id, step }: Extract<Subject, { kind: 'session' }>,
): Promise<Liveness> {
  const { store, ring, now } = parts
  const session = await readSession({ store, ring, clock: () => now }, sessionKeyOf(id))
  if (!session) return { fault: NO_SESSION, signIn: null, remark: null }
  const fields = Object.keys(session.content.data)
  const remark = `Record version ${session.version}, application's fields: ${fields.join(', ') || 'none'}.`
  const { signIn } = session.content
  if (!signIn) return { fault: null, signIn: null, remark: `Nobody is signed in with it. ${remark}` }
  const liveness = await signInLiveness(parts, refOf(signIn))
  const strength = strengthOf(signIn, step, now)
  const fault = liveness.fault ?? (strength ? null : REPLACED)
  return {
    fault,
    signIn: liveness.signIn,
    ...(strength && { factors: readFactors(strength.fac, signIn.auth_time) }),
    remark,
  }
}

async function refreshLiveness(parts: LivenessParts, claims: RefreshClaims): Promise<Liveness> {
  const { store, config, now } = parts
  const signIn = await recordsOf(parts).findGenuine(claims.accountId, claims.signInId, now)
  const newest = signIn?.refresh
  if (!signIn || !newest) return { fault: NO_REFRESH, signIn, remark: null }
  if (!(await store.isLive(refOfRecord(signIn)))) return { fault: REFRESH_ENDED, signIn, remark: null }
  const { counter: presented } = claims
  const rotation = { presented, keyId: newest.keyId, now, grace: config.refreshGrace * 1000 }
  const outcome = judgeRefresh(newest, rotation)
  const fault = outcome === 'reused' ? USED : null
  return { fault, signIn, remark: REFRESH_REMARKS[outcome] }
}

/** @throws STORE_UNAVAILABLE */
export function livenessOf(parts: LivenessParts, subject: Subject): Promise<Liveness> {
  switch (subject.kind) {
    case 'sign-in':
      return signInLiveness(parts, subject.ref)
    case 'session':
      return sessionLiveness(parts, subject)
    case 'api-key':
      return keyLiveness(parts, subject.found)
    case 'refresh':
      return refreshLiveness(parts, subject.claims)
  }
}
