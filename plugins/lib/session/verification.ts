import type { FastifyRequest } from 'fastify'
import type { MaybePromise, Resolution } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import type { Demand, ModeDevices } from '../device/mode-devices.js'
import { ProofSlot } from '../device/proof.js'
import { DeviceProofRequired } from '../errors.js'
import { ABSENT, refusedAs, SIGNED_OUT } from '../verified/verified.js'
import { type HeldSession, type SessionBounds, type SessionCache, UNBOUND } from './cache.js'
import type { SessionSignIn } from './content.js'
import type { SessionCookie, SessionCredential } from './cookie.js'
import { type StoredSession, whenReady } from './records.js'
import { strengthOf } from './steps.js'
import { renewalOf, SessionTurn } from './turn.js'
import type { SessionParts } from './use.js'

export const INVALID = refusedAs('CREDENTIAL_INVALID')
/** A browser sends this header if it could not renew the proof. It may succeed later. */
const SKIPPED = 'secure-session-skipped'

/** Verifies session cookies that are not in the cache, and loads their sessions. */
export class SessionVerification {
  constructor(
    private readonly parts: SessionParts,
    private readonly cookie: SessionCookie,
    private readonly cache: SessionCache,
  ) {}

  verify(request: FastifyRequest, text: string): MaybePromise<Resolution> {
    const credential = this.cookie.verify(text)
    if (!credential) return INVALID
    const reading = this.cache.readOnce(credential.id, () => this.load(credential))
    return whenReady(reading, (stored) =>
      stored ? this.resolveStored(request, credential, stored) : SIGNED_OUT,
    )
  }

  /** Reads the session from the store. If there is none, the cache remembers that. */
  load({ id, text }: SessionCredential): MaybePromise<StoredSession | null> {
    return whenReady(this.parts.use.load(id), (stored) => {
      if (!stored) this.cache.keepUnknown(text)
      return stored
    })
  }

  /**
   * Reads the session for `request.session`. A bound session without its proof counts as none, because a copied cookie
   * must read no data.
   * @throws DEVICE_PROOF_REQUIRED if the browser only lacks the proof for now. A new session would replace its cookie
   */
  async loadProven(request: FastifyRequest, credential: SessionCredential): Promise<StoredSession | null> {
    const stored = await this.load(credential)
    const { devices, clock } = this.parts
    const signIn = stored?.content.signIn
    // The old id from before a step-up has expired.
    if (signIn && !strengthOf(signIn, credential.step, clock())) return null
    if (!stored || !signIn || devices === null) return stored
    const demand = await demandOf(devices, signIn, clock())
    if (demand === 'open' || demand === 'none') return stored
    const isProven = demand === 'device' && devices.isProven(request, refOf(signIn), new ProofSlot(), clock())
    if (!isProven && request.headers[SKIPPED] !== undefined) throw new DeviceProofRequired()
    return isProven ? stored : null
  }

  /** Touches the session and renews its cookie with the answer, if either is due. */
  noteUse(
    turn: SessionTurn,
    credential: SessionCredential,
    stored: StoredSession,
  ): Promise<StoredSession> | null {
    const used = this.parts.use.note(stored)
    turn.change ??= renewalOf(credential, stored, used)
    return used.after
  }

  turnOf(request: FastifyRequest): SessionTurn {
    return SessionTurn.of(request, this.cookie, this.parts.use)
  }

  private resolveStored(
    request: FastifyRequest,
    credential: SessionCredential,
    stored: StoredSession,
  ): MaybePromise<Resolution> {
    const { devices, clock } = this.parts
    const { signIn } = stored.content
    if (!signIn) {
      this.noteUse(this.turnOf(request), credential, stored)
      return ABSENT
    }
    const { step } = credential
    const strength = strengthOf(signIn, step, clock())
    if (!strength) return INVALID
    const held = { signIn, step, strength }
    if (devices === null) return this.admit(request, credential, stored, held)
    return whenReady(demandOf(devices, signIn, clock()), (demand) => {
      if (demand === 'gone' || demand === 'refused') return devices.refuse(demand, refOf(signIn))
      return this.resolveBound(devices, request, credential, stored, held, boundsOf(devices, signIn, demand))
    })
  }

  /** A request without its proof does not count as use. */
  private resolveBound(
    devices: ModeDevices,
    request: FastifyRequest,
    credential: SessionCredential,
    stored: StoredSession,
    held: HeldSession,
    bounds: SessionBounds,
  ): MaybePromise<Resolution> {
    const admit = () => this.admit(request, credential, stored, held, bounds)
    if (bounds.proof === null) return admit()
    const verified = this.cache.verifiedOf(credential.text, stored, held, bounds, null)
    return whenReady(devices.resolve(request, verified, this.parts.clock()), (resolution) =>
      resolution.kind === 'identity' ? admit() : resolution,
    )
  }

  private admit(
    request: FastifyRequest,
    credential: SessionCredential,
    stored: StoredSession,
    held: HeldSession,
    bounds: SessionBounds = UNBOUND,
  ): Resolution {
    const touching = this.noteUse(this.turnOf(request), credential, stored)
    const { text, stale } = credential
    // Renewing a stale cookie takes more than the cached identity.
    if (!stale && touching)
      void touching.then((touched) => this.cache.keepSession(text, touched, held, bounds))
    else if (!stale) this.cache.keepSession(text, stored, held, bounds)
    return this.cache.verifiedOf(text, stored, held, bounds)
  }
}

function demandOf(devices: ModeDevices, signIn: SessionSignIn, now: number): MaybePromise<Demand> {
  return devices.demandOf(refOf(signIn), signIn.dev, signIn.auth_time, now)
}

function boundsOf(devices: ModeDevices, { auth_time }: SessionSignIn, demand: Demand): SessionBounds {
  if (demand === 'device') return { openUntil: Number.POSITIVE_INFINITY, proof: new ProofSlot() }
  return demand === 'open' ? { openUntil: devices.openUntil(auth_time), proof: null } : UNBOUND
}
