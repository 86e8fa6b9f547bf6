import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { MaybePromise, RefusalCode, Resolution, SignInRef } from '../contract.js'
import type { SignIns } from '../sign-ins/contract.js'
import { type Kept, refusedAs, SIGNED_OUT, type Verified } from '../verified/verified.js'
import { hashOfToken, type KnownKey, type Proof } from './proof.js'
import type { Proofs } from './proofs.js'
import { type Fault, tellRefused } from './refused.js'

const INVALID = refusedAs('TOKEN_INVALID')
/** The memory for a key and for the first part of its proofs. Measured. */
const KEY_BYTES = 4000

/** A genuine access token that is bound to a key. The request's proof is still to be checked. */
export class BoundToken implements Kept {
  readonly text: string
  readonly from: number
  readonly until: number
  readonly bytes: number
  /** The hash by which a proof names the token. */
  readonly ath: string
  #key: KnownKey | null = null

  /** @param jkt thumbprint of the key */
  constructor(
    readonly verified: Verified,
    token: string,
    readonly jkt: string,
  ) {
    this.text = verified.text
    this.from = verified.from
    this.until = verified.until
    this.bytes = verified.bytes + KEY_BYTES
    this.ath = hashOfToken(token)
    Object.freeze(this)
  }

  /** The key, once a proof has shown it. It is kept because importing a key takes as long as checking a signature. */
  get key(): KnownKey | null {
    return this.#key
  }

  /** @param key with the thumbprint of this token */
  set key(key: KnownKey | null) {
    this.#key = key
  }

  resolve(signIns: Pick<SignIns, 'isLive' | 'revision'>): MaybePromise<Resolution> {
    return this.verified.resolve(signIns)
  }
}

/** Resolves requests with bound tokens: each needs a proof of its own. */
export class BoundTokens {
  constructor(
    private readonly app: FastifyInstance,
    private readonly proofs: Proofs,
  ) {}

  /** @param now in ms */
  resolve(request: FastifyRequest, token: BoundToken, now: number): MaybePromise<Resolution> {
    const proof = this.proofs.find(request, token.key, now) ?? 'missing'
    if (typeof proof === 'string') return this.#refuse(request, token, proof)
    if (proof.key.key.thumbprint !== token.jkt) return this.#refuseOther(request, token)
    if (proof.ath !== token.ath) return this.#refuse(request, token, 'mismatch')
    token.key = proof.key
    const live = token.resolve(this.app.signIns)
    if (live instanceof Promise) return live.then((later) => this.#spend(request, token, proof, later))
    return this.#spend(request, token, proof, live)
  }

  /** The answer to a token under this scheme that is not bound, or is not genuine. */
  refuse(code: RefusalCode): Resolution {
    return this.proofs.refuse(code)
  }

  /** The answer to a genuine bound token under the scheme `Bearer` (RFC 9449 §7.2). */
  refuseBearer(request: FastifyRequest, ref: SignInRef): Resolution {
    tellRefused(this.app.audit, request, ref, 'missing')
    return INVALID
  }

  /** Notes the use of a proof last, so that no refused request spends it (RFC 9449 §11.1). */
  #spend(
    request: FastifyRequest,
    token: BoundToken,
    proof: Proof,
    live: Resolution,
  ): MaybePromise<Resolution> {
    if (live === SIGNED_OUT) return this.proofs.refuse('SIGNED_OUT')
    const settle = (fault: Fault | null) => (fault ? this.#refuse(request, token, fault) : live)
    const fault = this.proofs.spend(request, proof)
    return fault instanceof Promise ? fault.then(settle) : settle(fault)
  }

  #refuse(request: FastifyRequest, token: BoundToken, fault: Fault): Resolution {
    tellRefused(this.app.audit, request, token.verified, fault)
    return this.proofs.refusalOf(fault)
  }

  #refuseOther(request: FastifyRequest, token: BoundToken): Resolution {
    tellRefused(this.app.audit, request, token.verified, 'other_key')
    return this.proofs.refuse('TOKEN_INVALID')
  }
}
