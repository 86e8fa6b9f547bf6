import type { Identity, MaybePromise, Resolution, SignInRef } from '../contract.js'
import type { SignIns } from '../sign-ins/contract.js'
import { Marks } from '../sign-ins/marks.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import { SIGNED_OUT } from './resolutions.js'

/** Whom a credential that was verified stands for. Frozen, with the identity. */
export class Recognised {
  readonly kind = 'identity'

  constructor(
    readonly identity: Identity,
    readonly marks: Marks,
  ) {
    Object.freeze(this)
  }
}

/** What a credential stands for. It is its sign-in's ref, too. Frozen: whoever brings the credential gets it. */
export interface Verified extends SignInRef {
  /** All of the credential, as it came. */
  readonly text: string
  readonly resolution: Resolution
  readonly marks: Marks
  /** From here (ms) until there nothing but the end of the sign-in takes it away. */
  readonly from: number
  readonly until: number
  /** What keeping it takes in memory, about. */
  readonly bytes: number
}

/** Without text and claims; measured. */
const OWN_BYTES = 700
/** What an object may take in memory for each character that it takes as JSON. */
const CLAIMS_FACTOR = 8

function bytesOf(text: string, identity: Identity | null): number {
  const claims = identity ? JSON.stringify(identity.claims).length : 0
  return OWN_BYTES + text.length + CLAIMS_FACTOR * claims
}

/**
 * @param identity frozen all the way down; null where there is no such sign-in
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
  const marks = new Marks()
  return Object.freeze({
    accountId: identity?.accountId ?? '',
    signInId: identity?.signInId ?? '',
    epoch,
    generation,
    text,
    resolution: identity ? new Recognised(identity, marks) : SIGNED_OUT,
    marks,
    from,
    until,
    bytes: bytesOf(text, identity),
  })
}

/**
 * Whom it stands for, if its sign-in is live: asked at every use, unless nothing was revoked since it was asked last.
 */
export function resolveLive(
  signIns: Pick<SignIns, 'isLive' | 'revision'>,
  credential: Verified,
): MaybePromise<Resolution> {
  const { marks, resolution } = credential
  const revision = signIns.revision()
  if (revision === marks.liveAt && revision !== UNKNOWN_REVISION) return resolution
  const live = signIns.isLive(credential)
  if (live instanceof Promise) return live.then((is) => (is ? resolution : SIGNED_OUT))
  if (!live) return SIGNED_OUT
  // Of before it was asked: what was revoked meanwhile has made it another one.
  marks.liveAt = revision
  return resolution
}
