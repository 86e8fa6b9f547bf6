import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CheckedAccount, MaybePromise, ModeName, Resolution, SignInRef } from '../contract.js'
import { type CookieSpec, readCookie } from '../http/cookies.js'
import type { Found } from '../identity/caller.js'
import type { Deadline } from '../live/deadlines.js'
import { newSignInId } from '../sign-ins/record-seal.js'
import type { SignInRecord } from '../stores/contract.js'
import { type Kept, SIGNED_OUT, Verified } from '../verified/verified.js'
import { putField } from './header-list.js'
import { REGISTRATION, registrationField } from './headers.js'
import { ModeProofs } from './mode-proofs.js'
import { type DeviceParts, registerPathOf } from './parts.js'
import { type Settled, Settlement } from './settlement.js'
import { PROVISIONAL_FOR } from './times.js'

/** A mode whose sign-ins can be bound. */
export interface BindableMode {
  /** Whether the request has a genuine cookie of this mode that stands for another sign-in than the record's. */
  isOther(request: FastifyRequest, record: SignInRecord): boolean
  /** Issues the request's cookie anew for a sign-in that is bound from now on, if the cookie says so. */
  issueBound?(request: FastifyRequest, reply: FastifyReply): void
}

/**
 * What a credential needs. `open`: nothing yet, since the browser may still be registering. `none`: nothing. `device`:
 * the proof. `refused`: binding is required, and the sign-in is not bound. `gone`: the sign-in has ended.
 */
export type Demand = 'open' | Settled | 'refused'

/** A login replaces the sign-in. */
function proofRequired({ accountId, signInId }: SignInRef): Resolution {
  return { kind: 'refused', code: 'DEVICE_PROOF_REQUIRED', signIn: { accountId, signInId } }
}

/** Device binding for one mode. */
export class ModeDevices extends ModeProofs {
  readonly #settlement: Settlement
  mode: BindableMode | null = null

  /** @param spec of the proof cookie */
  constructor(parts: DeviceParts, name: ModeName, spec: CookieSpec) {
    super(parts, name, spec)
    this.#settlement = new Settlement(parts)
  }

  get settlement(): Settlement {
    return this.#settlement
  }

  /** The id of a sign-in that begins, and its binding, which is to be settled. */
  startOf({ id: accountId }: CheckedAccount): { readonly id: string; readonly binding: string } {
    const id = newSignInId()
    return { id, binding: this.parts.bindings.toBeSettled({ mode: this.name, accountId, signInId: id }) }
  }

  /** Offers to bind the sign-in that this answer begins. Clears the proof of an earlier sign-in. */
  offer(request: FastifyRequest, reply: FastifyReply, signIn: SignInRef): void {
    const { challenges, codes, settings, clock } = this.parts
    const [ref, now] = [this.refOf(signIn), clock()]
    const challenge = challenges.derive(ref, 'r', now)
    const field = registrationField(registerPathOf(settings), challenge, codes.registration(ref, now))
    putField(request, reply, REGISTRATION, this.name, field)
    this.clear(request, reply)
  }

  /** After a sign-out. */
  signedOut(request: FastifyRequest, reply: FastifyReply): void {
    this.clear(request, reply)
    if (this.parts.settings.clearSiteData) reply.header('clear-site-data', '"storage"')
  }

  /**
   * When a connection that this request opens must end although its sign-in goes on: when the request's proof expires.
   * In the first 75 seconds there is no proof yet. Such a connection ends after them, unless the sign-in turns out not
   * to be bound. Null: no such end.
   */
  deadlineOf(request: FastifyRequest, found: Found, now: number): Deadline | null {
    if (!(found instanceof Verified)) return null
    if (found.proof !== null) return { at: this.proofOf(request, found, now).until, renew: null }
    if (!this.isOpen(found)) return null
    const at = this.openUntil(found.identity.authTime ?? 0)
    const renew = async () => {
      const demand = this.#unlessUnbound(await this.#settlement.settle(this.refOf(found)))
      return demand === 'none' ? Number.POSITIVE_INFINITY : at
    }
    return { at, renew }
  }

  /** Whether the sign-in's record says that it is bound. @throws STORE_UNAVAILABLE */
  async isBound({ accountId, signInId }: SignInRef): Promise<boolean> {
    const record = await this.parts.signIns.find(accountId, signInId)
    if (!record) return true
    const { kind } = this.parts.bindings.read(this.name, record)
    return kind === 'device' || kind === 'unknown'
  }

  /**
   * Whether the credential was verified while its sign-in needed no proof. A request can last longer than that time, so
   * the present time does not count.
   */
  isOpen({ identity, from, until }: Verified): boolean {
    const end = this.openUntil(identity.authTime ?? 0)
    return from < end || until <= end
  }

  /** Until when (ms) a new sign-in needs no proof. */
  openUntil(authTime: number): number {
    return authTime + PROVISIONAL_FOR
  }

  /**
   * What a genuine credential needs. A promise only if its record must be read.
   * @param dev of the credential: 1 if registration was offered, 2 if it was issued as bound
   * @param authTime in ms
   * @throws STORE_UNAVAILABLE
   */
  demandOf(signIn: SignInRef, dev: 1 | 2 | undefined, authTime: number, now: number): MaybePromise<Demand> {
    if (dev === 2) return 'device'
    if (dev === undefined) return this.#ifUnbound()
    if (now < this.openUntil(authTime)) return 'open'
    const settled = this.#settlement.settle(this.refOf(signIn))
    return settled instanceof Promise
      ? settled.then((is) => this.#unlessUnbound(is))
      : this.#unlessUnbound(settled)
  }

  /** The answer to a demand that no request can meet. */
  refuse(demand: 'gone' | 'refused', signIn: SignInRef): Resolution {
    return demand === 'gone' ? SIGNED_OUT : proofRequired(signIn)
  }

  /**
   * The answer to a request with a verified credential. If the credential is bound, the request must have its proof as
   * well. A proof is verified once, and then remembered beside the credential. The store is not asked.
   */
  resolve(request: FastifyRequest, kept: Kept, now: number): MaybePromise<Resolution> {
    const live = kept.resolve(this.parts.signIns)
    if (!(kept instanceof Verified) || kept.proof === null) return live
    if (this.isProven(request, kept, kept.proof, now)) return live
    const judge = (resolution: Resolution) =>
      resolution.kind === 'identity' ? this.#refuseUnproven(request, kept, now) : resolution
    return live instanceof Promise ? live.then(judge) : judge(live)
  }

  #ifUnbound(): 'none' | 'refused' {
    return this.parts.settings.isRequired ? 'refused' : 'none'
  }

  #unlessUnbound(settled: Settled): Demand {
    return settled === 'none' ? this.#ifUnbound() : settled
  }

  #refuseUnproven(request: FastifyRequest, kept: Verified, now: number): Resolution {
    this.challenge(request, kept, now)
    const isMissing = readCookie(request.headers.cookie, this.spec.name).kind === 'absent'
    this.tellRefused(request, kept, isMissing ? 'missing' : 'invalid', now)
    return proofRequired(kept)
  }
}
