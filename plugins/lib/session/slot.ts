import { callbackify } from 'node:util'
import type { Session } from 'fastify'
import { refOf } from '../credentials/identity-claims.js'
import type { Legacy, SessionSignIn } from './content.js'
import { applyChanges, type Changes, changesBetween, dataOf, type Snapshot } from './merge.js'
import type { StoredSession } from './records.js'
import {
  NO_ID,
  openStock,
  type SessionHolder,
  type SessionObject,
  snapshotOfObject,
  snapshotOfStored,
  tellAfter,
} from './stock.js'
import type { SessionParts } from './use.js'
import { createAnonymous, mergeChanges } from './writer.js'

const NO_DATA: Snapshot = new Map()

/**
 * `request.session` of one request. It holds the session object, and is the store that @fastify/session saves to. A
 * save merges the request's changes into the session as it is stored at that moment. It only creates records for ids
 * that this request made, so that a destroyed session never comes back.
 */
export class SessionSlot implements SessionHolder {
  private current: SessionObject | null = null
  /** By id: the session as this request last saw it, null if it was destroyed. A new one has no entry. */
  private readonly known = new Map<string, StoredSession | null>()
  /** Ids that this request destroyed. */
  private readonly ended = new Set<string>()
  /** The data of each session object when it was made or last saved. */
  private readonly bases = new WeakMap<object, Snapshot>()
  private readonly openSession: (id: string) => void
  /** The sign-in of the request's session, kept after its end: the session's data belongs to that account alone. */
  private holder: SessionSignIn | null = null
  private opening = false
  private touching: Promise<StoredSession> | null = null
  private failure: unknown = null

  /** @param changed called after the application's `save`, `destroy` and `regenerate`, even if one failed */
  constructor(
    private readonly parts: SessionParts,
    private readonly changed: () => void,
  ) {
    this.openSession = openStock(this)
  }

  get session(): SessionObject | null {
    return this.current
  }

  /** @fastify/session sets it: to an object that it made, or to null after it destroyed the session. */
  set session(session: SessionObject | null) {
    this.current = session
    if (session && !this.bases.has(session)) this.bases.set(session, this.storedSnapshot(session.sessionId))
  }

  /** The session's id, if the session is stored. */
  get storedId(): string | null {
    const id = this.current?.sessionId
    return id !== undefined && this.known.get(id) ? id : null
  }

  /** Whether the session was destroyed, by this request or another. */
  isGone(id: string): boolean {
    return this.known.get(id) === null
  }

  hasEnded(id: string): boolean {
    return this.ended.has(id)
  }

  /** Makes `request.session` a new session, which is only stored once it holds data. */
  openNew(): void {
    this.openSession(NO_ID)
  }

  /** Makes `request.session` a stored session. @param touching its state after a touch that is under way */
  openStored(id: string, stored: StoredSession, touching: Promise<StoredSession> | null): void {
    this.known.set(id, stored)
    this.holder = stored.content.signIn
    this.touching = touching
    this.opening = true
    this.openSession(id)
    this.opening = false
  }

  /** Notes that the session was destroyed. `request.session` becomes null if it is the one. */
  drop(id: string): void {
    this.known.set(id, null)
    if (this.current?.sessionId === id) this.current = null
  }

  /** @throws SESSION_DATA_INVALID for data that cannot be saved */
  get hasChanges(): boolean {
    return this.current !== null && this.changesOf(this.current).size > 0
  }

  async saveChanges(): Promise<void> {
    if (this.current && this.hasChanges) await this.save(this.current)
  }

  /** The data for a session that replaces this one, with unsaved changes. */
  async legacy(): Promise<Legacy> {
    const { current } = this
    if (!current) return { key: null, signIn: this.holder, data: {} }
    const changes = this.changesOf(current)
    const stored = this.known.get(current.sessionId) ?? null
    const now = stored && (await this.parts.records.read(stored.key))
    const data = applyChanges(now?.content.data ?? {}, changes)
    return { key: stored?.key ?? null, signIn: this.holder, data }
  }

  /** For `session.save()`, and for the new session of `session.regenerate()`. */
  set(_id: string, session: Session, callback: (error?: unknown) => void): void {
    callbackify(() => this.save(session as SessionObject))(tellAfter(callback, this.changed))
  }

  /** For `openStored`, which needs a synchronous answer, and for `session.reload()`. */
  get(id: string, callback: (error: unknown, session?: Session | null) => void): void {
    if (this.opening) callback(null, this.storedData(id))
    else callbackify(() => this.reload(id))(callback)
  }

  /** For `session.destroy()`, and for the old session of `session.regenerate()`. */
  destroy(id: string, callback: (error?: unknown) => void): void {
    callbackify(() => this.end(id))(tellAfter(callback, this.changed))
  }

  private storedSnapshot(id: string): Snapshot {
    const stored = this.known.get(id)
    return stored ? snapshotOfStored(stored.content.data) : NO_DATA
  }

  /** A copy, because the application changes the session object in place. */
  private storedData(id: string): Session {
    return dataOf(this.storedSnapshot(id)) as unknown as Session
  }

  private changesOf(session: SessionObject): Changes {
    return changesBetween(this.baseOf(session), snapshotOfObject(session))
  }

  /** No base yet: `regenerate()` saves a new session object before it sets it. */
  private baseOf(session: SessionObject): Snapshot {
    return this.bases.get(session) ?? NO_DATA
  }

  private async save(session: SessionObject): Promise<void> {
    const id = session.sessionId
    const stored = this.known.get(id)
    if (stored === null) return
    // The predecessor could not be ended, and two sessions would be live.
    if (this.failure) throw this.failure
    const saving = snapshotOfObject(session)
    const changes = changesBetween(this.baseOf(session), saving)
    const current = stored && (await this.touched(stored))
    const saved = current
      ? await mergeChanges(this.parts.records, current, changes)
      : await createAnonymous(this.parts, id, changes)
    this.known.set(id, saved)
    this.bases.set(session, saving)
  }

  /** Waits for this request's touch: an earlier write would move its idle limit back. */
  private async touched(stored: StoredSession): Promise<StoredSession> {
    const touched = await this.touching
    this.touching = null
    return touched?.key === stored.key ? touched : stored
  }

  private async reload(id: string): Promise<Session | null> {
    if (!this.known.get(id)) return null
    this.known.set(id, await this.parts.use.load(id))
    return this.storedData(id)
  }

  private async end(id: string): Promise<void> {
    const stored = this.known.get(id)
    try {
      if (stored && (await this.destroyStored(stored))) this.ended.add(id)
    } catch (error) {
      this.failure = error
      throw error
    }
    this.known.set(id, null)
  }

  /** False if another request destroyed it first. The browser may already hold another session's cookie. */
  private destroyStored({ key, content: { signIn } }: StoredSession): Promise<boolean> {
    const { signIns, records } = this.parts
    return signIn ? signIns.end(refOf(signIn)) : records.destroy(key)
  }
}
