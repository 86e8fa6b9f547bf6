import type { Identity, MaybePromise, RefusalCode, Resolution, SignInRef } from '../contract.js'
import type { SignIns } from '../sign-ins/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'

/** The request has no credential of this mode. */
export const ABSENT: Resolution = Object.freeze({ kind: 'absent' })

/** A bad credential came. Each mode makes these once, so that the hot path allocates nothing. */
export function refusedAs(code: RefusalCode) {
  return Object.freeze({ kind: 'refused', code } as const)
}

/** A genuine credential came, and its sign-in has ended. */
export const SIGNED_OUT = refusedAs('SIGNED_OUT')

/** Whom a verified credential stands for. Frozen, with the identity, except for what the suite itself notes. */
export class VerifiedIdentity {
  readonly kind = 'identity'
  /** The revision of the revocation list under which its sign-in was found live. */
  #liveAt = UNKNOWN_REVISION
  #seenAt = Number.NEGATIVE_INFINITY

  constructor(readonly identity: Identity) {
    Object.freeze(this)
  }

  /** When it was stored that its sign-in was seen, in ms. */
  get seenAt(): number {
    return this.#seenAt
  }

  set seenAt(now: number) {
    this.#seenAt = now
  }

  /** Asks at every use whether the sign-in is live, except while the revocation list has not changed since the last time. */
  resolve(signIns: Pick<SignIns, 'isLive' | 'revision'>, ref: SignInRef): MaybePromise<Resolution> {
    const revision = signIns.revision()
    if (revision === this.#liveAt && revision !== UNKNOWN_REVISION) return this
    const live = signIns.isLive(ref)
    if (live instanceof Promise) return live.then((is) => (is ? this : SIGNED_OUT))
    if (!live) return SIGNED_OUT
    // The revision that was read before: what was revoked meanwhile has changed it.
    this.#liveAt = revision
    return this
  }
}

/** A verified credential, which is also the ref of its sign-in. Frozen, because many requests share it. */
export interface Verified extends SignInRef {
  /** The whole credential, as it came. */
  readonly text: string
  readonly resolution: VerifiedIdentity | typeof SIGNED_OUT
  /** From `from` until `until` (ms) only the end of the sign-in makes it invalid. */
  readonly from: number
  readonly until: number
  /** The memory that it takes, as an estimate. */
  readonly bytes: number
}

/** Without text and claims; measured. */
const OWN_BYTES = 700
/** Bytes of memory that an object may take for each character of its JSON. */
const CLAIMS_FACTOR = 8

function bytesOf(text: string, identity: Identity | null): number {
  const claims = identity ? JSON.stringify(identity.claims).length : 0
  return OWN_BYTES + text.length + CLAIMS_FACTOR * claims
}

/**
 * @param identity deeply frozen; null if there is no such sign-in
 * @param from in ms
 * @param until in ms
 */
export function verifiedAs(
  identity: Identity | null,
  text: string,
  { epoch, generation }: Pick<SignInRef, 'epoch' | 'generation'>,
  from: number,
  until: number,
): Verified {
  return Object.freeze({
    accountId: identity?.accountId ?? '',
    signInId: identity?.signInId ?? '',
    epoch,
    generation,
    text,
    resolution: identity ? new VerifiedIdentity(identity) : SIGNED_OUT,
    from,
    until,
    bytes: bytesOf(text, identity),
  })
}

/** Whom a verified credential stands for, if its sign-in is live. */
export function resolveLive(
  signIns: Pick<SignIns, 'isLive' | 'revision'>,
  credential: Verified,
): MaybePromise<Resolution> {
  const { resolution } = credential
  return resolution.kind === 'identity' ? resolution.resolve(signIns, credential) : resolution
}
