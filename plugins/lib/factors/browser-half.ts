import { randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { beforeAnswer } from '../http/before-answer.js'
import { type CookieSpec, readCookie, removeCookie, setCookie } from '../http/cookies.js'

const RANDOM_BYTES = 32
const SHAPE = /^[\w-]{43}$/

/**
 * A random value in a cookie of the browser in which a sign-in began. Only that browser can finish the sign-in. The other
 * half is in the body of the answer, and does not work without this one. All tabs share the value, so that each tab can
 * finish its own sign-in.
 */
export class BrowserHalf {
  /** @param lifetime in seconds */
  constructor(
    private readonly spec: CookieSpec,
    private readonly lifetime: number,
  ) {}

  /** The request's half, or null. */
  read({ headers }: FastifyRequest): string | null {
    const reading = readCookie(headers.cookie, this.spec.name)
    return reading.kind === 'one' && SHAPE.test(reading.value) ? reading.value : null
  }

  /** The request's half, or a new one. The caller must set it with the answer. */
  choose(request: FastifyRequest): string {
    return this.read(request) ?? randomBytes(RANDOM_BYTES).toString('base64url')
  }

  /** Sets the cookie with the answer, with a full lifetime. */
  set(request: FastifyRequest, value: string): void {
    beforeAnswer(request, (reply) => setCookie(reply, this.spec, value, this.lifetime))
  }

  /** Clears the cookie with the answer. */
  clear(request: FastifyRequest): void {
    beforeAnswer(request, (reply) => removeCookie(request, reply, this.spec))
  }
}
