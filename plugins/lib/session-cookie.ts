import { createHash, randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type CookieSpec, forgetCookie, readCookie, setCookie } from './cookies.js'
import type { PurposeKeys } from './keys.js'
import { isUnderSigningKey } from './session-seal.js'
import { signValue, verifyValue } from './signed-value.js'

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
  | { readonly kind: 'genuine'; readonly id: string; readonly stale: boolean }

const ABSENT: SessionCredential = Object.freeze({ kind: 'absent' })
const INVALID: SessionCredential = Object.freeze({ kind: 'invalid' })

/** The session cookie: a signed id, so that an id that we did not make never reaches a store. */
export class SessionCookie {
  constructor(
    private readonly spec: CookieSpec,
    private readonly keys: PurposeKeys,
  ) {}

  read(request: FastifyRequest): SessionCredential {
    const reading = readCookie(request.headers.cookie, this.spec.name)
    if (reading.kind === 'absent') return ABSENT
    const id = reading.kind === 'one' ? verifyValue(this.keys, reading.value) : null
    if (reading.kind !== 'one' || id === null) return INVALID
    return { kind: 'genuine', id, stale: !isUnderSigningKey(this.keys, reading.value) }
  }

  /** Ends with the browser, unless `maxAge` (seconds) is given. */
  set(reply: FastifyReply, id: string, maxAge?: number): void {
    setCookie(reply, this.spec, signValue(this.keys, id), maxAge)
  }

  /** Clears the cookie, with the attributes it was set with. */
  clear(reply: FastifyReply): void {
    reply.clearCookie(this.spec.name, this.spec.attributes)
  }

  /** Clears the cookie if the request came with one, whatever it holds. */
  forget(request: FastifyRequest, reply: FastifyReply): void {
    forgetCookie(request, reply, this.spec)
  }
}
