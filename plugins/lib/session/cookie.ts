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
  /** The random part of the id, which names the session. */
  readonly id: string
  /** The number of step-ups before this id. */
  readonly step: number
  readonly stale: boolean
}

export const STEP_MAX = 999_999_999
/** The random part has a fixed length, so that every id has one meaning. */
const ID = /^([\w-]{43})([1-9]\d{0,8})?$/

/** The parts of a genuine id. Null for other content. */
export function readSessionId(content: string | null): Pick<SessionCredential, 'id' | 'step'> | null {
  const [, id, step = '0'] = ID.exec(content ?? '') ?? []
  return id === undefined ? null : { id, step: Number(step) }
}

/** How an answer changes the cookie. `maxAge` is in seconds; without it the cookie ends with the browser. */
export type CookieChange =
  | { readonly kind: 'set'; readonly id: string; readonly step?: number; readonly maxAge?: number }
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
    const named = readSessionId(verifyValue(this.keys, text))
    return named && { text, ...named, stale: !isUnderSigningKey(this.keys, text) }
  }

  /** The request's genuine session cookie, or null. */
  read(request: FastifyRequest): SessionCredential | null {
    const reading = this.find(request)
    return reading.kind === 'one' ? this.verify(reading.value) : null
  }

  textOf(id: string, step = 0): string {
    return signValue(this.keys, step === 0 ? id : `${id}${step}`)
  }

  /** @param change null undoes what was written before */
  write(reply: FastifyReply, change: CookieChange | null): void {
    if (change === null) takeBackCookie(reply, this.spec)
    else if (change.kind === 'clear') clearCookie(reply, this.spec)
    else setCookie(reply, this.spec, this.textOf(change.id, change.step), change.maxAge)
  }
}
