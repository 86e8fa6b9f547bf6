import { createHash, randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PurposeKeys } from '../credentials/keys.js'
import { signValue, verifyValue } from '../credentials/signed-value.js'
import {
  type CookieReading,
  type CookieSpec,
  clearCookie,
  readCookie,
  setCookie,
  takeBackCookie,
} from '../http/cookies.js'
import { isUnderSigningKey } from './seal.js'

/** 256 random bits, in base64url. */
export function newSessionId(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * Under which a session is stored. A hash, so that whoever sees the store's keys (a backup, `MONITOR`,
 * invalidation messages) holds nothing that works as a credential.
 */
export function sessionKeyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}

/** What came under the session cookie's name. `stale`: signed under a key that no longer signs. */
export type SessionCredential =
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'genuine'; readonly text: string; readonly id: string; readonly stale: boolean }

const ABSENT: SessionCredential = Object.freeze({ kind: 'absent' })
const INVALID: SessionCredential = Object.freeze({ kind: 'invalid' })

/** What an answer does to the cookie. `maxAge` is in seconds; without it the cookie ends with the browser. */
export type CookieChange =
  | { readonly kind: 'set'; readonly id: string; readonly maxAge?: number }
  | { readonly kind: 'clear' }

/** The session cookie: a signed id, so that an id that we did not make never reaches a store. */
export class SessionCookie {
  constructor(
    private readonly spec: CookieSpec,
    private readonly keys: PurposeKeys,
  ) {}

  /** What came, good or bad. */
  find(request: FastifyRequest): CookieReading {
    return readCookie(request.headers.cookie, this.spec.name)
  }

  verify(text: string): SessionCredential {
    const id = verifyValue(this.keys, text)
    return id === null ? INVALID : { kind: 'genuine', text, id, stale: !isUnderSigningKey(this.keys, text) }
  }

  read(request: FastifyRequest): SessionCredential {
    const reading = this.find(request)
    if (reading.kind === 'absent') return ABSENT
    return reading.kind === 'one' ? this.verify(reading.value) : INVALID
  }

  /** The cookie's text for a session. */
  textOf(id: string): string {
    return signValue(this.keys, id)
  }

  /** @param change null for none: what was written before is taken back */
  write(reply: FastifyReply, change: CookieChange | null): void {
    if (change === null) takeBackCookie(reply, this.spec)
    else if (change.kind === 'clear') clearCookie(reply, this.spec)
    else setCookie(reply, this.spec, this.textOf(change.id), change.maxAge)
  }
}
