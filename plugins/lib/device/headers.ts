import type { FastifyRequest } from 'fastify'
import { type Compact, parseCompact } from '../jws/compact.js'

/*
 * The header fields of Device Bound Session Credentials (W3C draft). They are structured fields (RFC 9651). No text of
 * the suite contains a character that must be escaped there.
 */

export const CHALLENGE = 'secure-session-challenge'
export const REGISTRATION = 'secure-session-registration'
const RESPONSE = 'secure-session-response'
const IDENTIFIER = 'sec-secure-session-id'

/** A string of characters that the suite uses. Its parameters are ignored. Chromium sends it without quotes. */
const STRING = /^(?:"([\w.-]+)"|([\w.-]+))\s*(?:;.*)?$/

function stringOf(field: string | string[] | undefined): string | null {
  const [, quoted, bare] = (typeof field === 'string' && STRING.exec(field)) || []
  return quoted ?? bare ?? null
}

export function challengeField(challenge: string, identifier: string): string {
  return `"${challenge}";id="${identifier}"`
}

/** @param path of the registration */
export function registrationField(path: string, challenge: string, code: string): string {
  return `(ES256 RS256);path="${path}";challenge="${challenge}";authorization="${code}"`
}

/** The text of `Sec-Secure-Session-Id`, unverified. */
export function identifierOf({ headers }: FastifyRequest): string | null {
  return stringOf(headers[IDENTIFIER])
}

/** In characters. An RSA key of 4096 bits and its signature take 1400, and the code takes up to 3800. */
const RESPONSE_MAX = 8192
const ALGORITHMS: readonly unknown[] = ['ES256', 'RS256']

/** The JWT of `Secure-Session-Response`, unverified. Null if there is none of the right form. */
export function responseOf({ headers }: FastifyRequest): Compact | null {
  const parsed = parseCompact(stringOf(headers[RESPONSE]), RESPONSE_MAX)
  if (parsed?.header.typ !== 'dbsc+jwt' || !ALGORITHMS.includes(parsed.header.alg)) return null
  return parsed
}
