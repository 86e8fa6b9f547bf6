import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
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

  /** The half that the answer sets: the request's own, or a new one. Its lifetime begins again. */
  give(request: FastifyRequest): string {
    const value = this.read(request) ?? randomBytes(RANDOM_BYTES).toString('base64url')
    beforeAnswer(request, (reply) => setCookie(reply, this.spec, value, this.lifetime))
    return value
  }

  /** Clears the cookie with the answer. */
  clear(request: FastifyRequest): void {
    beforeAnswer(request, (reply: FastifyReply) => removeCookie(request, reply, this.spec))
  }
}
