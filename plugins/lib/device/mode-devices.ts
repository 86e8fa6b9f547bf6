import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ProofRefusal } from '../audit-events.js'
import type { MaybePromise, ModeName, Resolution, SignInRef } from '../contract.js'
import { type CookieSpec, clearCookie, readCookie, removeCookie, setCookie } from '../http/cookies.js'
import { kReply } from '../identity/sign-in.js'
import { Newest } from '../newest.js'
import type { SignInRecord } from '../stores/contract.js'
import { type Kept, refusedAs, SIGNED_OUT, Verified } from '../verified/verified.js'
import type { Challenge } from './challenges.js'
import { putField } from './header-list.js'
import { CHALLENGE, challengeField, REGISTRATION, registrationField } from './headers.js'
import { type DeviceParts, registerPathOf } from './parts.js'
import { openProof, type ProofSlot, proofFor, sealProof } from './proof.js'
import type { DeviceRef } from './ref.js'
import { type Settled, Settlement } from './settlement.js'
import { PROOF_LEAST, PROVISIONAL_FOR } from './times.js'

/** A mode whose sign-ins can be bound. */
export interface BindableMode {
  /** Whether the request has a genuine cookie of this mode that stands for another sign-in than the record's. */
  isOther(request: FastifyRequest, record: SignInRecord): boolean
  /** Issues the request's cookie anew for a sign-in that is bound from now on, if the cookie says so. */
  issueBound?(request: FastifyRequest, reply: FastifyReply): void
}

/** What a credential needs. `open`: nothing yet. `none`: nothing. `device`: the proof. `refused`: it is not bound, and must be. */
export type Demand = 'open' | Settled | 'refused'

const UNBOUND = refusedAs('DEVICE_PROOF_REQUIRED')
/** How often a sign-in's refusals are told of, in ms. A client may send thousands of requests. */
const TELL_EACH = 60_000
const TOLD_MAX = 10_000

/** Device binding for one mode. */
export class ModeDevices {
  readonly #settlement: Settlement
  readonly #told = new Newest<string, number>(TOLD_MAX)
  mode: BindableMode | null = null

  /** @param spec of the cookie that holds the proof */
  constructor(
    private readonly parts: DeviceParts,
    readonly name: ModeName,
    readonly spec: CookieSpec,
  ) {
    this.#settlement = new Settlement(parts)
  }

  get settlement(): Settlement {
    return this.#settlement
  }

  refOf({ accountId, signInId, epoch, generation }: SignInRef): DeviceRef {
    return { mode: this.name, accountId, signInId, epoch, generation }
  }

  /** Offers the browser to bind the sign-in that the answer begins. The proof of an earlier one goes. */
  offer(request: FastifyRequest, reply: FastifyReply, signIn: SignInRef): void {
    const { challenges, codes, settings, clock } = this.parts
    const [ref, now] = [this.refOf(signIn), clock()]
    const challenge = challenges.derive(ref, 'r', now)
    const field = registrationField(registerPathOf(settings), challenge, codes.registration(ref, now))
    putField(request, reply, REGISTRATION, this.name, field)
    this.clear(request, reply)
  }

  /** Clears the proof from the browser. */
  clear(request: FastifyRequest, reply: FastifyReply): void {
    removeCookie(request, reply, this.spec)
  }

  /** Clears it even if the request has none: an answer that was under way may have set it. */
  takeProof(reply: FastifyReply): void {
    clearCookie(reply, this.spec)
  }

  /** Until when (ms) a sign-in that offers registration is good without a question. */
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

  /** The answer for a demand that no credential can meet. */
  refuse(demand: 'gone' | 'refused'): Resolution {
    return demand === 'gone' ? SIGNED_OUT : UNBOUND
  }

  /**
   * The answer to a request with a verified credential. If it is bound, its proof must be in the request as well. That is
   * verified once, and remembered beside the credential. No lookup.
   */
  resolve(request: FastifyRequest, kept: Kept, now: number): MaybePromise<Resolution> {
    const live = kept.resolve(this.parts.signIns)
    if (!(kept instanceof Verified) || kept.proof === null) return live
    if (this.isProven(request, kept, kept.proof, now)) return live
    const judge = (resolution: Resolution) =>
      resolution.kind === 'identity' ? this.#refuseUnproven(request, kept, now) : resolution
    return live instanceof Promise ? live.then(judge) : judge(live)
  }

  /** Whether the request has the proof of that sign-in. If it ends soon, the answer has a challenge for the next one. */
  isProven(request: FastifyRequest, signIn: SignInRef, slot: ProofSlot, now: number): boolean {
    const reading = readCookie(request.headers.cookie, this.spec.name)
    if (reading.kind !== 'one') return false
    if (reading.value !== slot.text && !this.#learn(reading.value, signIn, slot)) return false
    const isInTime = now < slot.until
    if (isInTime && slot.until - now < PROOF_LEAST) this.challenge(request, signIn, now)
    return isInTime
  }

  /** Hands the browser the challenge of this minute, for its next refresh. */
  challenge(request: FastifyRequest, signIn: SignInRef, now: number): void {
    const { challenges, codes } = this.parts
    const ref = this.refOf(signIn)
    this.challengeWith(request, challenges.derive(ref, 'p', now), codes.identifier(ref))
  }

  challengeWith(request: FastifyRequest, challenge: string, identifier: string): void {
    const reply = request[kReply]
    if (reply && !reply.raw.headersSent)
      putField(request, reply, CHALLENGE, this.name, challengeField(challenge, identifier))
  }

  /** Sets the proof for an answered challenge, with a challenge for the next one. */
  prove(
    request: FastifyRequest,
    reply: FastifyReply,
    ref: DeviceRef,
    identifier: string,
    challenge: Challenge,
  ): void {
    const { challenges, proofKeys, clock } = this.parts
    const proof = proofFor(ref, challenge)
    const left = proof.exp - Math.floor(clock() / 1000)
    setCookie(reply, this.spec, sealProof(proofKeys, proof), left)
    this.challengeWith(request, challenges.derive(ref, 'p', clock()), identifier)
  }

  /** Tells that a proof was missing or wrong, at most once a minute for each sign-in. */
  tellRefused(
    request: FastifyRequest,
    { accountId, signInId }: SignInRef,
    reason: ProofRefusal,
    now: number,
  ): void {
    const told = this.#told.get(signInId)
    if (told !== undefined && Math.abs(now - told) < TELL_EACH) return
    this.#told.set(signInId, now)
    const report = { type: 'proof_refused', accountId, signInId, mode: this.name, reason } as const
    this.parts.audit.emit(report, request)
  }

  #ifUnbound(): 'none' | 'refused' {
    return this.parts.settings.isRequired ? 'refused' : 'none'
  }

  #unlessUnbound(settled: Settled): Demand {
    return settled === 'none' ? this.#ifUnbound() : settled
  }

  #learn(text: string, { signInId }: SignInRef, slot: ProofSlot): boolean {
    const proof = openProof(this.parts.proofKeys, text, { mode: this.name, signInId })
    if (proof) slot.keep(text, proof)
    return proof !== null
  }

  #refuseUnproven(request: FastifyRequest, kept: Verified, now: number): Resolution {
    this.challenge(request, kept, now)
    const isMissing = readCookie(request.headers.cookie, this.spec.name).kind === 'absent'
    this.tellRefused(request, kept, isMissing ? 'missing' : 'invalid', now)
    const { accountId, signInId } = kept
    return { kind: 'refused', code: 'DEVICE_PROOF_REQUIRED', signIn: { accountId, signInId } }
  }
}
