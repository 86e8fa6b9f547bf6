import type { FastifyRequest } from 'fastify'

/** Stands for the own origin, which a path must not leave. */
const BASE = 'http://own.invalid'

/** Control characters, which a browser drops from an address, and backslashes, which it takes for slashes. */
const UNSAFE = /[\p{Cc}\\]/u

/** Some programs between browser and server decode a path before they read it. */
const ENCODED_SLASHES = /^\/%(2f|5c)/i

/** In UTF-16 units. */
const LONGEST = 2048

/**
 * The path, query and fragment of an address of this origin, in the form in which a browser reads it (WHATWG URL);
 * null for any other address.
 */
export function ownPath(address: unknown): string | null {
  if (typeof address !== 'string' || address.length > LONGEST) return null
  if (!address.startsWith('/') || UNSAFE.test(address) || !URL.canParse(address, BASE)) return null
  const { origin, pathname, search, hash } = new URL(address, BASE)
  // Dot segments are resolved by now: `/.//host` has become `//host`, which names another origin.
  if (origin !== BASE || pathname.startsWith('//') || ENCODED_SLASHES.test(pathname)) return null
  return `${pathname}${search}${hash}`
}

/** The redirect target after a sign-in: the path in `?next=`, or `/` if that is not a path of this origin. */
export function safeNext({ query }: Pick<FastifyRequest, 'query'>): string {
  const next = typeof query === 'object' && query !== null && 'next' in query ? query.next : null
  return ownPath(next) ?? '/'
}
