import { randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { beforeAnswer } from '../http/before-answer.js'
import { type CookieSpec, readCookie, removeCookie, setCookie } from '../http/cookies.js'

const RANDOM_BYTES = 32
const SHAPE = /^[\w-]{43}$/

/**
 * A random value in a cookie of the browser in which a sign-in began. A sign-in in progress only goes on in that browser:
 * its other half, in an answer's body, is worth nothing elsewhere. Several tabs share the value, so that each of them can
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

  /** The request's half, or a new one. The answer must set it. */
  choose(request: FastifyRequest): string {
    return this.read(request) ?? randomBytes(RANDOM_BYTES).toString('base64url')
  }

  /** Sets the half with the answer. Its lifetime begins again. */
  set(request: FastifyRequest, value: string): void {
    beforeAnswer(request, (reply) => setCookie(reply, this.spec, value, this.lifetime))
  }

  /** Clears the cookie with the answer. */
  clear(request: FastifyRequest): void {
    beforeAnswer(request, (reply) => removeCookie(request, reply, this.spec))
  }
}
