import type {} from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** The attributes that a cookie is set with, and must be cleared with. */
export interface CookieAttributes {
  readonly httpOnly: true
  readonly sameSite: 'lax'
  readonly path: '/'
  readonly secure: boolean
}

/** A cookie of ours: its full name and its attributes. */
export interface CookieSpec {
  readonly name: string
  readonly attributes: CookieAttributes
}

/**
 * With `secure` the name gets the `__Host-` prefix (RFC 6265bis §4.1.3.2): a browser then takes it only
 * over TLS, for this host alone and all its paths, so that no sibling domain can plant one.
 */
export function cookieSpec(name: string, secure: boolean): CookieSpec {
  const attributes = { httpOnly: true, sameSite: 'lax', path: '/', secure } as const
  return Object.freeze({ name: secure ? `__Host-${name}` : name, attributes: Object.freeze(attributes) })
}

/** What the request holds under a cookie's name. Two of one name are no credential: which is ours? */
export type CookieReading =
  | { readonly kind: 'absent' }
  | { readonly kind: 'doubled' }
  | { readonly kind: 'one'; readonly value: string }

const ABSENT: CookieReading = Object.freeze({ kind: 'absent' })
const DOUBLED: CookieReading = Object.freeze({ kind: 'doubled' })

/** Where the pair that starts at `start` ends. */
function pairEnd(header: string, start: number): number {
  const end = header.indexOf(';', start)
  return end === -1 ? header.length : end
}

/** The trimmed value when the pair in `header[start..end]` has that name, or null. */
function valueOfPair(header: string, name: string, start: number, end: number): string | null {
  const equals = header.indexOf('=', start)
  if (equals === -1 || equals >= end) return null
  return header.slice(start, equals).trim() === name ? header.slice(equals + 1, end).trim() : null
}

/**
 * Finds one cookie in a `Cookie` header without parsing the others. The value is taken as it was sent:
 * ours need no %-decoding, so a %-encoded one is a forgery.
 */
export function readCookie(header: string | undefined, name: string): CookieReading {
  if (!header?.includes(name)) return ABSENT
  let found: string | null = null
  for (let start = 0; start < header.length; ) {
    const end = pairEnd(header, start)
    const value = valueOfPair(header, name, start, end)
    if (value !== null && found !== null) return DOUBLED
    found ??= value
    start = end + 1
  }
  return found === null ? ABSENT : { kind: 'one', value: found }
}

/** Sets the cookie; with `maxAge` (seconds) it outlives the browser, without it ends with it. */
export function setCookie(reply: FastifyReply, spec: CookieSpec, value: string, maxAge?: number): void {
  reply.setCookie(spec.name, value, { ...spec.attributes, ...(maxAge === undefined ? {} : { maxAge }) })
}

/** Clears the cookie if the request came with it, with the attributes it was set with. */
export function forgetCookie(request: FastifyRequest, reply: FastifyReply, spec: CookieSpec): void {
  if (readCookie(request.headers.cookie, spec.name).kind === 'absent') return
  reply.clearCookie(spec.name, spec.attributes)
}
