import type { Identity, MaybePromise, RefusalCode, Resolution, SignInRef } from '../contract.js'
import type { ProofSlot } from '../device/proof.js'
import { ownText } from '../own-text.js'
import type { Seen, SignIns } from '../sign-ins/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'

/** The request has no credential of this mode. */
export const ABSENT: Resolution = Object.freeze({ kind: 'absent' })

/** The request has a bad credential. Each mode makes these once, so that the hot path allocates nothing. */
export function refusedAs(code: RefusalCode) {
  return Object.freeze({ kind: 'refused', code } as const)
}

/** The request has a genuine credential whose sign-in has ended. */
export const SIGNED_OUT = refusedAs('SIGNED_OUT')

/** A newer credential of the sign-in may have replaced this one. So it must be verified again. */
export const RETIRED = refusedAs('CREDENTIAL_INVALID')

/** What a cache keeps of a credential. */
export interface Kept {
  /** The whole credential, as it was sent. */
  readonly text: string
  /** From `from` until `until` (ms) only the end of the sign-in makes it invalid. */
  readonly from: number
  readonly until: number
  /** The memory that it takes, as an estimate. */
  readonly bytes: number
  /** The mode's answer to a request with this credential. */
  resolve(signIns: Pick<SignIns, 'isLive' | 'revision'>): MaybePromise<Resolution>
}

/** Without text and claims; measured. */
const OWN_BYTES = 700
/** A slot and its text. */
const PROOF_BYTES = 400
/** Bytes of memory that an object may take for each character of its JSON. */
const CLAIMS_FACTOR = 8

/**
 * A verified credential, which is also the ref of its sign-in and the resolution of its requests. Many requests share
 * it: it is frozen, except for two private fields of the suite.
 */
export class Verified implements Kept, SignInRef, Seen {
  readonly kind = 'identity'
  readonly text: string
  readonly accountId: string
  readonly signInId: string
  readonly epoch: number
  readonly generation: number
  readonly bytes: number
  /** The revision of the revocation list under which its sign-in was found live. */
  #liveAt = UNKNOWN_REVISION
  #seenAt = Number.NEGATIVE_INFINITY

  /**
   * @param identity deeply frozen
   * @param text may be a slice of a request's header, and would keep all of it in memory: it is copied
   * @param proof for a credential that is bound to a device. Mutable
   * @param retirement an entry of the revocation list that ends only this credential, not its sign-in
   */
  constructor(
    readonly identity: Identity,
    text: string,
    { epoch, generation }: Pick<SignInRef, 'epoch' | 'generation'>,
    readonly from: number,
    readonly until: number,
    readonly proof: ProofSlot | null = null,
    readonly retirement: string | null = null,
  ) {
    this.text = ownText(text)
    this.accountId = identity.accountId
    this.signInId = identity.signInId
    this.epoch = epoch
    this.generation = generation
    this.bytes =
      OWN_BYTES +
      (proof ? PROOF_BYTES : 0) +
      text.length +
      CLAIMS_FACTOR * JSON.stringify(identity.claims).length
    Object.freeze(this)
  }

  /** When the last use of its sign-in was last stored, in ms. */
  get seenAt(): number {
    return this.#seenAt
  }

  set seenAt(now: number) {
    this.#seenAt = now
  }

  /** Checks at each use whether the sign-in is live, unless the revocation list is the same as at the last check. */
  resolve(signIns: Pick<SignIns, 'isLive' | 'revision'>): MaybePromise<Resolution> {
    const revision = signIns.revision()
    if (revision === this.#liveAt && revision !== UNKNOWN_REVISION) return this
    const live = signIns.isLive(this)
    if (live instanceof Promise) return live.then((is) => (is ? this.#unlessRetired(signIns) : SIGNED_OUT))
    if (!live) return SIGNED_OUT
    const resolution = this.#unlessRetired(signIns)
    // The revision was read before the lookup. A revocation since then has changed the list's revision, so the next use
    // checks again.
    if (resolution === this) this.#liveAt = revision
    return resolution
  }

  /** Asks with an epoch that no account reaches, because a change of the epoch may have spared this sign-in. */
  #unlessRetired(signIns: Pick<SignIns, 'isLive'>): MaybePromise<Resolution> {
    if (this.retirement === null) return this
    const { accountId, generation, retirement: signInId } = this
    const newest = signIns.isLive({ accountId, signInId, epoch: Number.MAX_SAFE_INTEGER, generation })
    if (newest instanceof Promise) return newest.then((is) => (is ? this : RETIRED))
    return newest ? this : RETIRED
  }
}

/** A genuine credential without a sign-in. Times are in ms. */
export function signedOutAs(text: string, from: number, until: number): Kept {
  const bytes = OWN_BYTES + text.length
  return Object.freeze({ text: ownText(text), from, until, bytes, resolve: () => SIGNED_OUT })
}
