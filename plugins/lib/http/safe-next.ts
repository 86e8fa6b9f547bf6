import type { FastifyRequest } from 'fastify'

/** Stands for the own origin, which a path must not leave. */
const BASE = 'http://own.invalid'

/** Control characters, which a browser drops from an address, and backslashes, which it takes for slashes. */
const UNSAFE = /[\p{Cc}\\]/u

/** A dot, a slash, a backslash, a tab or a line break, encoded once or several times. */
const ENCODED = /%(?:25)*(2[ef]|5c|0[9ad])/gi

/** In UTF-16 units. */
const LONGEST = 2048

/** The path as a program between browser and server may read it, which decodes first. */
function decoded(path: string): string {
  return path.replace(ENCODED, (_, code) => decodeURIComponent(`%${code}`))
}

/** Dot segments are resolved first: `/.//host` becomes `//host`, which names another origin. */
function staysHere(path: string): boolean {
  if (!URL.canParse(path, BASE)) return false
  const { origin, pathname } = new URL(path, BASE)
  return origin === BASE && !pathname.startsWith('//')
}

/**
 * The path, query and fragment of an address of this origin, in the form in which a browser reads it (WHATWG URL);
 * null for any other address.
 */
export function ownPath(address: unknown): string | null {
  if (typeof address !== 'string' || address.length > LONGEST) return null
  if (!address.startsWith('/') || UNSAFE.test(address) || !staysHere(address)) return null
  const { pathname, search, hash } = new URL(address, BASE)
  return staysHere(decoded(pathname)) ? `${pathname}${search}${hash}` : null
}

/** The redirect target after a sign-in: the path in `?next=`, or `/` if that is not a path of this origin. */
export function safeNext({ query }: Pick<FastifyRequest, 'query'>): string {
  const next = typeof query === 'object' && query !== null && 'next' in query ? query.next : null
  return ownPath(next) ?? '/'
}
