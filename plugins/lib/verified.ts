import type { Identity, MaybePromise, Resolution, SignInRef } from './contract.js'
import { SIGNED_OUT } from './resolutions.js'

/** What a credential stands for. It is its sign-in's ref, too. Frozen: whoever brings the credential gets it. */
export interface Verified extends SignInRef {
  /** All of the credential, as it came. */
  readonly text: string
  readonly resolution: Resolution
  /** From here (ms) until there nothing but the end of the sign-in takes it away. */
  readonly from: number
  readonly until: number
  /** What keeping it takes in memory, about. */
  readonly bytes: number
}

/** Without text and claims; measured. */
const OWN_BYTES = 600
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
  return Object.freeze({
    accountId: identity?.accountId ?? '',
    signInId: identity?.signInId ?? '',
    epoch,
    generation,
    text,
    resolution: identity ? Object.freeze({ kind: 'identity', identity }) : SIGNED_OUT,
    from,
    until,
    bytes: bytesOf(text, identity),
  })
}

/** Whom it stands for, if its sign-in is live: asked at every use. */
export function resolveLive(
  signIns: { isLive(ref: SignInRef): MaybePromise<boolean> },
  credential: Verified,
): MaybePromise<Resolution> {
  const live = signIns.isLive(credential)
  if (live instanceof Promise) return live.then((is) => (is ? credential.resolution : SIGNED_OUT))
  return live ? credential.resolution : SIGNED_OUT
}
