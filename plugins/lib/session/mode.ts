import type { FastifyReply, FastifyRequest } from 'fastify'
import type {
  AuthMode,
  Begun,
  CheckedAccount,
  MaybePromise,
  Resolution,
  SignInOptions,
  SignInRef,
} from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import { ABSENT, refusedAs, SIGNED_OUT, Verified } from '../verified/verified.js'
import { beginSession } from './begin.js'
import type { SessionCache } from './cache.js'
import type { Legacy } from './content.js'
import { newSessionId, type SessionCookie, type SessionCredential, sessionKeyOf } from './cookie.js'
import { type StoredSession, whenReady } from './records.js'
import { kSession, renewalOf, SessionTurn } from './turn.js'
import type { SessionParts } from './use.js'

const INVALID = refusedAs('CREDENTIAL_INVALID')
const NO_LEGACY: Legacy = Object.freeze({ key: null, signIn: null, data: {} })

/** Returned to the route that signs in. The credential is in `Set-Cookie`. */
export interface SessionIssued {
  readonly signInId: string
}

/** The cookie holds a signed random id. Everything else stays on the server. */
export class SessionMode implements AuthMode<'session'> {
  readonly name = 'session'
  readonly ambient = true

  constructor(
    private readonly parts: SessionParts,
    private readonly cookie: SessionCookie,
    readonly cache: SessionCache,
  ) {}

  resolve(request: FastifyRequest, now = this.parts.clock()): MaybePromise<Resolution> {
    const reading = this.cookie.find(request)
    if (reading.kind === 'absent') return ABSENT
    if (reading.kind === 'doubled') return INVALID
    const verified = this.cache.recall(reading.value, now)
    return verified ? verified.resolve(this.parts.signIns) : this.verify(request, reading.value)
  }

  private verify(request: FastifyRequest, text: string): MaybePromise<Resolution> {
    const credential = this.cookie.verify(text)
    return credential ? this.resolveStored(request, credential) : INVALID
  }

  private resolveStored(request: FastifyRequest, credential: SessionCredential): MaybePromise<Resolution> {
    const { id, text } = credential
    return whenReady(
      this.cache.readOnce(id, () => this.load(credential)),
      (stored) => {
        if (!stored) return SIGNED_OUT
        const touching = this.noteUse(this.turnOf(request), credential, stored)
        const { signIn } = stored.content
        if (!signIn) return ABSENT
        // Renewing a stale cookie takes more than the cached identity.
        if (!credential.stale) {
          if (touching) void touching.then((touched) => this.cache.keepSession(text, touched))
          else this.cache.keepSession(text, stored)
        }
        return this.cache.verifiedOf(text, stored, signIn)
      },
    )
  }

  /** Reads the session from the store. If there is none, the cache remembers that. */
  load({ id, text }: SessionCredential): MaybePromise<StoredSession | null> {
    return whenReady(this.parts.use.load(id), (stored) => {
      if (!stored) this.cache.keepUnknown(text)
      return stored
    })
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
    const turn = this.turnOf(request)
    const maxAge = options.remember === true ? this.parts.ttls.rememberTtl : undefined
    turn.held = id
    turn.change = { kind: 'set', id, maxAge }
    turn.slot?.openStored(id, stored, null)
    turn.show(reply, this.cookie)
    this.cache.keepSession(this.cookie.textOf(id), stored)
    return { issued: { signInId: signIn.signInId }, signIn }
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const credential = this.cookie.read(request)
    if (credential) await this.end(request, credential.id)
    this.dropHeld(request)
    this.clear(request, reply)
    return credential !== null
  }

  clear(request: FastifyRequest, reply: FastifyReply): void {
    const isIn = this.cookie.find(request).kind !== 'absent'
    const turn = this.turnOf(request)
    turn.change = isIn ? { kind: 'clear' } : null
    turn.show(reply, this.cookie)
  }

  turnOf(request: FastifyRequest): SessionTurn {
    return SessionTurn.of(request, this.cookie, this.parts.use)
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

  private async end(request: FastifyRequest, id: string): Promise<void> {
    const { records, signIns } = this.parts
    const key = sessionKeyOf(id)
    // An id never changes its sign-in, so the cached reference is right. It also ends a sign-in whose session record a
    // store short of memory has evicted.
    const ref = this.cachedRef(id) ?? (await this.storedRef(key))
    const existed = ref !== null && (await signIns.end(ref, { signedOut: this.name, request }))
    // The store deletes a session together with the record of its sign-in, if that exists.
    if (!existed) await records.destroy(key)
    request[kSession]?.slot?.drop(id)
  }

  /** Also drops the session whose cookie the answer would otherwise set. */
  private dropHeld(request: FastifyRequest): void {
    const { slot, held } = this.turnOf(request)
    if (held !== null) slot?.drop(held)
  }

  /** The sign-in of a stored session. Null for an anonymous one as well. */
  private async storedRef(key: string): Promise<SignInRef | null> {
    const signIn = (await this.parts.records.read(key))?.content.signIn
    return signIn ? refOf(signIn) : null
  }

  /** The sign-in of a cached session. The cache only has cookies under the current signing key. */
  private cachedRef(id: string): SignInRef | null {
    const verified = this.cache.peek(this.cookie.textOf(id), this.parts.clock())
    return verified instanceof Verified ? verified : null
  }
}
