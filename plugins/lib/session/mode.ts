import type { FastifyReply, FastifyRequest } from 'fastify'
import type {
  AuthMode,
  Begun,
  CheckedAccount,
  GivenFactor,
  MaybePromise,
  Resolution,
  SignInOptions,
  SignInRef,
} from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import type { BindableMode } from '../device/mode-devices.js'
import { SignedOut } from '../errors.js'
import type { SignInRecord } from '../stores/contract.js'
import { ABSENT, RETIRED, Verified } from '../verified/verified.js'
import { beginSession } from './begin.js'
import { type SessionCache, UNBOUND } from './cache.js'
import type { Legacy } from './content.js'
import { newSessionId, type SessionCookie, type SessionCredential, sessionKeyOf } from './cookie.js'
import { type StoredSession, whenReady } from './records.js'
import { stepUpSession } from './step-up.js'
import { stepOf } from './steps.js'
import { kSession } from './turn.js'
import type { SessionParts } from './use.js'
import { INVALID, type SessionVerification } from './verification.js'

const NO_LEGACY: Legacy = Object.freeze({ key: null, signIn: null, data: {} })

/** Returned to the route that signs in. The credential is in `Set-Cookie`. */
export interface SessionIssued {
  readonly signInId: string
}

/** The cookie holds a signed random id. Everything else stays on the server. */
export class SessionMode implements AuthMode<'session'>, BindableMode {
  readonly name = 'session'
  readonly ambient = true

  constructor(
    private readonly parts: SessionParts,
    private readonly cookie: SessionCookie,
    readonly cache: SessionCache,
    private readonly verification: SessionVerification,
  ) {}

  resolve(request: FastifyRequest, now = this.parts.clock()): MaybePromise<Resolution> {
    const reading = this.cookie.find(request)
    if (reading.kind === 'absent') return ABSENT
    if (reading.kind === 'doubled') return INVALID
    const verified = this.cache.recall(reading.value, now)
    if (!verified) return this.verification.verify(request, reading.value)
    const { devices, signIns } = this.parts
    const resolution = devices === null ? verified.resolve(signIns) : devices.resolve(request, verified, now)
    if (resolution !== RETIRED && !(resolution instanceof Promise)) return resolution
    return whenReady(resolution, (answer) =>
      answer === RETIRED ? this.verification.verify(request, reading.value) : answer,
    )
  }

  async issue(
    request: FastifyRequest,
    reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<'session'>> {
    const legacy = await this.legacyOf(request)
    // A new id at every sign-in. So an id that an attacker planted in the browser before (session fixation) is
    // worthless.
    const id = newSessionId()
    const [stored, signIn] = await beginSession(this.parts, request, id, account, options, legacy)
    const turn = this.verification.turnOf(request)
    const maxAge = options.remember === true ? this.parts.ttls.rememberTtl : undefined
    turn.held = id
    turn.change = { kind: 'set', id, maxAge }
    turn.slot?.openStored(id, stored, null)
    turn.show(reply, this.cookie)
    this.keepNew(id, stored)
    this.parts.devices?.offer(request, reply, signIn)
    return { issued: { signInId: signIn.signInId }, signIn }
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const credential = this.cookie.read(request)
    if (credential) await this.end(request, credential)
    this.dropHeld(request)
    this.clear(request, reply)
    this.parts.devices?.signedOut(request, reply)
    return credential !== null
  }

  async stepUp(
    request: FastifyRequest,
    reply: FastifyReply,
    given: readonly GivenFactor[],
  ): Promise<SessionIssued> {
    const credential = this.cookie.read(request)
    if (!credential) throw new SignedOut()
    const { id } = credential
    const stored = await stepUpSession(this.parts, credential, request.identity, given)
    const turn = this.verification.turnOf(request)
    turn.held = id
    const maxAge = this.parts.use.maxAgeOf(stored)
    turn.change = { kind: 'set', id, step: stepOf(stored.content.signIn), maxAge }
    turn.show(reply, this.cookie)
    return { signInId: request.identity.signInId }
  }

  clear(request: FastifyRequest, reply: FastifyReply): void {
    const isIn = this.cookie.find(request).kind !== 'absent'
    const turn = this.verification.turnOf(request)
    turn.change = isIn ? { kind: 'clear' } : null
    turn.show(reply, this.cookie)
    this.parts.devices?.clear(request, reply)
  }

  isOther(request: FastifyRequest, { sessionKey }: SignInRecord): boolean {
    const credential = this.cookie.read(request)
    return credential !== null && sessionKeyOf(credential.id) !== sessionKey
  }

  private keepNew(id: string, stored: StoredSession): void {
    const { signIn } = stored.content
    if (!signIn) return
    const openUntil = this.parts.devices?.openUntil(signIn.auth_time)
    const bounds = openUntil === undefined ? UNBOUND : { openUntil, proof: null }
    const held = { signIn, step: 0, strength: { fac: signIn.fac, until: Number.POSITIVE_INFINITY } }
    this.cache.keepSession(this.cookie.textOf(id), stored, held, bounds)
  }

  /** The data and the sign-in that the new session takes over from the request's own. */
  private async legacyOf(request: FastifyRequest): Promise<Legacy> {
    const slot = request[kSession]?.slot
    if (slot) return slot.legacy()
    const credential = this.cookie.read(request)
    if (!credential) return NO_LEGACY
    const stored = await this.parts.records.read(sessionKeyOf(credential.id))
    return stored ? { key: stored.key, ...stored.content } : NO_LEGACY
  }

  private async end(request: FastifyRequest, { id, step }: SessionCredential): Promise<void> {
    const { records, signIns } = this.parts
    const key = sessionKeyOf(id)
    // An id never changes its sign-in, so the cached reference is right. It also ends a sign-in whose session record a
    // store short of memory has evicted.
    const ref = this.cachedRef(id, step) ?? (await this.storedRef(key))
    const existed = ref !== null && (await signIns.end(ref, { signedOut: this.name, request }))
    // The store deletes a session together with the record of its sign-in, if that exists.
    if (!existed) await records.destroy(key)
    request[kSession]?.slot?.drop(id)
  }

  /** Also drops the session whose cookie the answer would otherwise set. */
  private dropHeld(request: FastifyRequest): void {
    const { slot, held } = this.verification.turnOf(request)
    if (held !== null) slot?.drop(held)
  }

  /** The sign-in of a stored session. Null for an anonymous one as well. */
  private async storedRef(key: string): Promise<SignInRef | null> {
    const signIn = (await this.parts.records.read(key))?.content.signIn
    return signIn ? refOf(signIn) : null
  }

  /** The sign-in of a cached session. The cache only has cookies under the current signing key. */
  private cachedRef(id: string, step: number): SignInRef | null {
    const verified = this.cache.peek(this.cookie.textOf(id, step), this.parts.clock())
    return verified instanceof Verified ? verified : null
  }
}
