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
 * The key of a stored session. A hash, because the keys of a store are visible in backups, `MONITOR` and invalidation
 * messages.
 */
export function sessionKeyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}

/** A verified session cookie. `stale`: signed under an old key, which only verifies. */
export interface SessionCredential {
  readonly text: string
  readonly id: string
  readonly stale: boolean
}

/** How an answer changes the cookie. `maxAge` is in seconds; without it the cookie ends with the browser. */
export type CookieChange =
  | { readonly kind: 'set'; readonly id: string; readonly maxAge?: number }
  | { readonly kind: 'clear' }

/** The session cookie: a signed id, so that no forged id reaches a store. */
export class SessionCookie {
  constructor(
    private readonly spec: CookieSpec,
    private readonly keys: PurposeKeys,
  ) {}

  find(request: FastifyRequest): CookieReading {
    return readCookie(request.headers.cookie, this.spec.name)
  }

  /** Null if it is forged. */
  verify(text: string): SessionCredential | null {
    const id = verifyValue(this.keys, text)
    return id === null ? null : { text, id, stale: !isUnderSigningKey(this.keys, text) }
  }

  /** The request's genuine session cookie, or null. */
  read(request: FastifyRequest): SessionCredential | null {
    const reading = this.find(request)
    return reading.kind === 'one' ? this.verify(reading.value) : null
  }

  textOf(id: string): string {
    return signValue(this.keys, id)
  }

  /** @param change null undoes what was written before */
  write(reply: FastifyReply, change: CookieChange | null): void {
    if (change === null) takeBackCookie(reply, this.spec)
    else if (change.kind === 'clear') clearCookie(reply, this.spec)
    else setCookie(reply, this.spec, this.textOf(change.id), change.maxAge)
  }
}
