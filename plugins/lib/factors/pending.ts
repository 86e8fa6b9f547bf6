import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../contract.js'
import { Whole } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { seal, unseal } from '../session/seal.js'
import { type Static, Type } from '../shape.js'
import type { SessionRecord, SessionStore } from '../stores/contract.js'

/** How long a person has for the second factor, in seconds. */
export const PENDING_FOR = 300
/** Tries of one pending sign-in. The throttle also counts all tries of an account. */
export const TRIES = 5

/** In ms. */
const Time = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 })

const isContent = Type.Object(
  {
    mode: Type.String({ minLength: 1 }),
    sub: Type.String({ minLength: 1, maxLength: 256 }),
    /** The username, as typed. */
    name: Type.String(),
    epoch: Whole,
    /** The time of the right password. */
    at: Time,
    /** Sealed, because an attacker who can write to the store could change a limit outside the seal. */
    exp: Time,
    tries: Type.Integer({ minimum: 0, maximum: TRIES }),
    remember: Type.Boolean,
    claims: Type.Unknown,
    memo: Type.Unknown,
  },
  { additionalProperties: false },
)
type Content = Static<typeof isContent>

/** A sign-in whose password was right. */
export type PendingContent = Omit<Content, 'exp' | 'tries'>

/** A pending sign-in in the store. */
export interface Pending {
  /** The key of its record. It names the pending sign-in, and does not help to finish it. */
  readonly key: string
  readonly version: number
  readonly content: Content
}

/** `b`: bound to the browser in which it began. `t`: without a cookie. */
const SHAPE = /^[bt][\w-]{43}$/
const RANDOM_BYTES = 32

function needsBrowser(text: string): boolean {
  return text.startsWith('b')
}

/**
 * The hash of both halves. Knowing one half is not enough to find the record. The key never equals that of a session,
 * which is the hash of a shorter text. A record of one kind cannot be opened as the other: their seals' keys differ.
 */
function keyOf(text: string, half: string | null): string {
  const both = JSON.stringify(['pending', text, half])
  return createHash('sha256').update(both).digest('base64url')
}

interface Parts {
  readonly store: SessionStore
  readonly keys: PurposeKeys
  readonly clock: Clock
}

/**
 * Sign-ins that wait for a second factor, as records of the state store. No list shows them. Every method may throw
 * STORE_UNAVAILABLE.
 */
export class PendingSignIns {
  constructor(private readonly parts: Parts) {}

  /**
   * @param half the browser's half; null if the mode has no cookie
   * @returns the value `pending` for the client
   */
  async create(pending: PendingContent, half: string | null): Promise<string> {
    const text = `${half === null ? 't' : 'b'}${randomBytes(RANDOM_BYTES).toString('base64url')}`
    const key = keyOf(text, half)
    const content = { ...pending, exp: this.parts.clock() + PENDING_FOR * 1000, tries: 0 }
    await this.parts.store.createSession(key, this.#close({ key, version: 1, content }))
    return text
  }

  /** Null if the text names no pending sign-in, or if the sign-in has expired or began in another browser. */
  async find(text: unknown, half: string | null): Promise<Pending | null> {
    if (typeof text !== 'string' || !SHAPE.test(text)) return null
    if (needsBrowser(text) && half === null) return null
    return this.#read(keyOf(text, needsBrowser(text) ? half : null))
  }

  /** Counts a try before the proof is verified. Null if no try is left. */
  async countTry({ key }: Pending): Promise<Pending | null> {
    return this.#change(key, (tries) => (tries < TRIES ? tries + 1 : null))
  }

  /** Undoes `countTry`, for a try in which no proof was verified. */
  async giveBackTry({ key }: Pending): Promise<void> {
    await this.#change(key, (tries) => Math.max(tries - 1, 0))
  }

  /** Removes it. Only one of several parallel calls gets true. */
  take({ key }: Pending): Promise<boolean> {
    return this.parts.store.destroySession(key)
  }

  async #change(key: string, next: (tries: number) => number | null): Promise<Pending | null> {
    for (;;) {
      const found = await this.#read(key)
      const tries = found && next(found.content.tries)
      if (!found || tries === null) return null
      const changed = { key, version: found.version + 1, content: { ...found.content, tries } }
      const outcome = await this.parts.store.replaceSession(key, this.#close(changed))
      if (outcome === 'replaced') return changed
      if (outcome === 'gone') return null
    }
  }

  async #read(key: string): Promise<Pending | null> {
    const { store, keys, clock } = this.parts
    const now = clock()
    const record = await store.readSession(key, now)
    const text = record && unseal(keys, key, record.sealed)
    const content = text ? parse(text) : null
    return record && content && now < content.exp ? { key, version: record.version, content } : null
  }

  #close({ key, version, content }: Pending): SessionRecord {
    const sealed = seal(this.parts.keys, key, JSON.stringify(content))
    return { version, sealed, idleExpiresAt: content.exp, absoluteExpiresAt: content.exp }
  }
}

function parse(text: string): Content | null {
  try {
    const value: unknown = JSON.parse(text)
    return isContent(value) ? value : null
  } catch {
    return null
  }
}
