import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ProofRefusal } from '../audit-events.js'
import type { ModeName, SignInRef } from '../contract.js'
import { type CookieSpec, clearCookie, readCookie, removeCookie, setCookie } from '../http/cookies.js'
import { kReply } from '../identity/sign-in.js'
import { Newest } from '../newest.js'
import type { Challenge } from './challenges.js'
import { configurationOf } from './configuration.js'
import { putField } from './header-list.js'
import { CHALLENGE, challengeField } from './headers.js'
import { type DeviceParts, refreshPathOf } from './parts.js'
import { openProof, ProofSlot, proofFor, sealProof } from './proof.js'
import type { DeviceRef } from './ref.js'
import { BROWSER_AHEAD, PROOF_LEAST } from './times.js'

/** Refusals of one sign-in are reported once in this time, in ms. A client may send thousands of requests. */
const TELL_EACH = 60_000
const TOLD_MAX = 10_000

/** The proofs of one mode's sign-ins, and the challenges for them. */
export class ModeProofs {
  readonly #told = new Newest<string, number>(TOLD_MAX)

  /** @param spec of the proof cookie */
  constructor(
    protected readonly parts: DeviceParts,
    readonly name: ModeName,
    readonly spec: CookieSpec,
  ) {}

  refOf({ accountId, signInId, epoch, generation }: SignInRef): DeviceRef {
    return { mode: this.name, accountId, signInId, epoch, generation }
  }

  /** Clears the proof from the browser. */
  clear(request: FastifyRequest, reply: FastifyReply): void {
    removeCookie(request, reply, this.spec)
  }

  /**
   * Whether the request has a proof of that sign-in. If it expires soon, the answer gets a challenge for the next one.
   */
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

  /**
   * Sets the proof for an answered challenge. Adds the challenge for the next proof, which saves a trip then.
   * @returns the configuration of the bound sign-in, which must be in the body of the answer
   */
  prove(
    request: FastifyRequest,
    reply: FastifyReply,
    ref: DeviceRef,
    identifier: string,
    challenge: Challenge,
  ): object {
    const { challenges, proofKeys, settings, clock } = this.parts
    const proof = proofFor(ref, challenge)
    const left = proof.exp - Math.floor((clock() + BROWSER_AHEAD) / 1000)
    setCookie(reply, this.spec, sealProof(proofKeys, proof), left)
    this.challengeWith(request, challenges.derive(ref, 'p', clock()), identifier)
    const { excluded } = settings
    return configurationOf({ identifier, refreshPath: refreshPathOf(settings), spec: this.spec, excluded })
  }

  /** Reports that a proof was missing or wrong, at most once a minute for each sign-in. */
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

  /** Clears the proof, so that the browser makes a new one, for a challenge that nobody has seen. */
  askFresh(request: FastifyRequest, reply: FastifyReply, signIn: SignInRef, now: number): void {
    const { challenges, codes } = this.parts
    const ref = this.refOf(signIn)
    clearCookie(reply, this.spec)
    this.challengeWith(request, challenges.invent(ref, now), codes.identifier(ref))
  }

  /** The proof of this very request. The one beside the credential may have come with another request. */
  proofOf(request: FastifyRequest, signIn: SignInRef, now: number): ProofSlot {
    const slot = new ProofSlot()
    return this.isProven(request, signIn, slot, now) ? slot : new ProofSlot()
  }

  #learn(text: string, { signInId }: SignInRef, slot: ProofSlot): boolean {
    const proof = openProof(this.parts.proofKeys, text, { mode: this.name, signInId })
    if (proof) slot.keep(text, proof)
    return proof !== null
  }
}
