import type { Clock, MaybePromise } from '../contract.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { SessionDataInvalid } from '../errors.js'
import { Newest } from '../newest.js'
import type { SessionRecord, StateStore } from '../stores/contract.js'
import { isWithinLimits } from '../stores/rules.js'
import { parseContent, type SessionContent } from './content.js'
import { isUnderSigningKey, seal, unseal } from './seal.js'

/** Calls `next` with the value, at once unless that is a promise. */
export function whenReady<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** In ms. */
export interface SessionLimits {
  readonly idleExpiresAt: number
  readonly absoluteExpiresAt: number
}

export interface StoredSession extends SessionLimits {
  readonly key: string
  readonly version: number
  readonly content: SessionContent
  /** Whether it is sealed under a key that no longer signs. */
  readonly stale: boolean
}

/**
 * The latest end of a session (ms), by its sealed content. Anybody who can write to the store can move the limits
 * outside of the seal.
 */
export type EndOfSession = (content: SessionContent) => number

/** At a hundred bytes each. */
const DESTROYED_MAX = 10_000

/** Sealed sessions in the store. Every method may throw STORE_UNAVAILABLE. */
export class SessionRecords {
  /** The keys of sessions that this process destroyed lately. */
  readonly #destroyed = new Newest<string, true>(DESTROYED_MAX)

  constructor(
    private readonly store: StateStore,
    private readonly keys: PurposeKeys,
    private readonly maxBytes: number,
    private readonly clock: Clock,
    private readonly endOf: EndOfSession = () => Number.POSITIVE_INFINITY,
  ) {}

  /** Null if there is no session, it is past a limit, or its record does not open. */
  read(key: string): MaybePromise<StoredSession | null> {
    const now = this.clock()
    return whenReady(this.store.readSession(key, now), (record) => record && this.open(key, record, now))
  }

  /** @returns null if the key is taken @throws SESSION_DATA_INVALID if it is too large */
  async create(key: string, content: SessionContent, limits: SessionLimits): Promise<StoredSession | null> {
    const { idleExpiresAt, absoluteExpiresAt } = limits
    const session = { key, version: 1, content, stale: false, idleExpiresAt, absoluteExpiresAt }
    return (await this.store.createSession(key, this.close(session))) ? session : null
  }

  /**
   * Replaces the content, unless another request has done so since the session was read. A destroyed one (`gone`) stays
   * destroyed.
   * @throws SESSION_DATA_INVALID if it is too large
   */
  async replace(
    stored: StoredSession,
    content: SessionContent,
  ): Promise<StoredSession | 'conflict' | 'gone'> {
    const next = { ...stored, version: stored.version + 1, content, stale: false }
    const outcome = await this.store.replaceSession(stored.key, this.close(next))
    return outcome === 'replaced' ? next : outcome
  }

  /** Moves the idle limit forward. False if the session is gone. */
  touch(key: string, idleExpiresAt: number): Promise<boolean> {
    return this.store.touchSession(key, idleExpiresAt)
  }

  async destroy(key: string): Promise<boolean> {
    const existed = await this.store.destroySession(key)
    this.#destroyed.set(key, true)
    return existed
  }

  /** Tells every process that this id of a session is no longer the newest. See retirementOf. @param until in ms */
  async retire(accountId: string, retirement: string, until: number): Promise<void> {
    await this.store.endSignIn(accountId, retirement, until)
  }

  /** Whether this process destroyed it lately. No lookup. */
  hasDestroyed(key: string): boolean {
    return this.#destroyed.has(key)
  }

  private open(key: string, record: SessionRecord, now: number): StoredSession | null {
    const { version, sealed } = record
    const text = unseal(this.keys, key, sealed)
    const content = text === null ? null : parseContent(text)
    if (!content) return null
    const absoluteExpiresAt = Math.min(record.absoluteExpiresAt, this.endOf(content))
    const limits = { idleExpiresAt: Math.min(record.idleExpiresAt, absoluteExpiresAt), absoluteExpiresAt }
    const stale = !isUnderSigningKey(this.keys, sealed)
    return isWithinLimits(limits, now) ? { key, version, content, stale, ...limits } : null
  }

  private close(session: StoredSession): SessionRecord {
    const sealed = seal(this.keys, session.key, JSON.stringify(session.content))
    if (sealed.length > this.maxBytes) {
      throw new SessionDataInvalid('so much', `sealed it is ${sealed.length} bytes of ${this.maxBytes}`)
    }
    const { version, idleExpiresAt, absoluteExpiresAt } = session
    return { version, sealed, idleExpiresAt, absoluteExpiresAt }
  }
}
