import fastifyCookie from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OptionInvalid } from '../errors.js'
import { forbidStoring } from './no-store.js'

/** A cookie is set and cleared with the same attributes. */
export interface CookieAttributes {
  readonly httpOnly: true
  readonly sameSite: 'lax' | 'strict'
  readonly path: '/'
  readonly secure: boolean
}

/** A cookie of ours: its full name and its attributes. */
export interface CookieSpec {
  readonly name: string
  readonly attributes: CookieAttributes
}

/** A token (RFC 9110 §5.6.2) without a prefix, for which browsers have rules. */
const NAME = /^(?!__(host|secure|http)-)[\w!#$%&'*+.^`|~-]{1,64}$/i

/** Whether a browser keeps a cookie of that name, also under `__Host-`. */
export function isCookieName(name: string): boolean {
  return NAME.test(name)
}

/**
 * With `secure` the name gets the `__Host-` prefix (RFC 6265bis §4.1.3.2): browsers accept such a cookie only over TLS, for
 * one host and all its paths. So no sibling domain can plant one.
 * @throws OPTION_INVALID for a name that no browser would keep
 */
export function cookieSpec(name: string, secure: boolean, isStrict = false): CookieSpec {
  if (!isCookieName(name)) throw new OptionInvalid('name', 'wants the name of a cookie, without a prefix')
  // With 'auto' the name could have a prefix that the attribute contradicts.
  if (typeof secure !== 'boolean') throw new OptionInvalid('secure', 'wants true or false')
  const attributes = { httpOnly: true, sameSite: isStrict ? 'strict' : 'lax', path: '/', secure } as const
  return Object.freeze({ name: secure ? `__Host-${name}` : name, attributes: Object.freeze(attributes) })
}

/** The request's cookie of one name. Two of one name are no credential: we cannot tell which one is ours. */
export type CookieReading =
  | { readonly kind: 'absent' }
  | { readonly kind: 'doubled' }
  | { readonly kind: 'one'; readonly value: string }

const ABSENT: CookieReading = Object.freeze({ kind: 'absent' })
const DOUBLED: CookieReading = Object.freeze({ kind: 'doubled' })

const EQUALS = 0x3d

/** A space or a tab, and nothing else (RFC 6265bis §5.6). */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function skipBlanks(header: string, from: number): number {
  let at = from
  while (at < header.length && isBlank(header.charCodeAt(at))) at++
  return at
}

function skipBlanksBack(header: string, from: number): number {
  let at = from
  while (at > 0 && isBlank(header.charCodeAt(at - 1))) at--
  return at
}

function trimmed(header: string, start: number, end: number): string {
  const from = skipBlanks(header, start)
  return header.slice(from, Math.max(from, skipBlanksBack(header, end)))
}

/**
 * Finds one cookie in a `Cookie` header, pair by pair. Does not %-decode: a %-encoded value is a forgery.
 *
 * Only spaces and tabs may be around a name. `String.trim` would also remove a no-break space: no browser's prefix rule
 * covers `<no-break space>__Host-identity`, so a sibling domain could plant it as ours.
 */
export function readCookie(header: string | undefined, name: string): CookieReading {
  if (header === undefined) return ABSENT
  let found: string | null = null
  for (let at = 0, end = 0; at < header.length; at = end + 1) {
    end = endOfPair(header, at)
    const start = skipBlanks(header, at)
    // Checking one character is faster than comparing the name, and excludes most pairs.
    const equals = skipBlanks(header, start + name.length)
    if (header.charCodeAt(equals) !== EQUALS || !header.startsWith(name, start)) continue
    if (found !== null) return DOUBLED
    found = trimmed(header, equals + 1, end)
  }
  return found === null ? ABSENT : { kind: 'one', value: found }
}

function endOfPair(header: string, from: number): number {
  const end = header.indexOf(';', from)
  return end === -1 ? header.length : end
}

// An alias, because inside the declaration below the name would mean the member itself.
type SerializeCookie = FastifyInstance['serializeCookie']

export const kSerializeCookie = Symbol('fastify-identity.serialize-cookie')

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Returns the text of `Set-Cookie`. It has no defaults: those of the application (`parseOptions`) must not apply to
     * our cookies.
     */
    [kSerializeCookie]: SerializeCookie
  }
}

/**
 * Uses only the serializer of @fastify/cookie, without its hooks. Takes it from the application's own plugin, or
 * registers the plugin in a separate scope. So the application can still register it later.
 */
export async function useCookieSerializer(app: FastifyInstance): Promise<void> {
  if (app.hasDecorator('serializeCookie')) {
    app.decorate(kSerializeCookie, app.serializeCookie)
    return
  }
  await app.register(async function cookieSerializer(scope) {
    await scope.register(fastifyCookie, { hook: false })
    app.decorate(kSerializeCookie, scope.serializeCookie)
  })
}

const kOwnLines = Symbol('fastify-identity.own-cookies')

/** The suite's `Set-Cookie` lines of an answer, by name. Null for a line that was removed again. */
type OwnLines = Map<string, string | null>

declare module 'fastify' {
  interface FastifyReply {
    [kOwnLines]?: OwnLines
  }
}

function nameOfLine(line: string): string {
  return line.slice(0, line.indexOf('='))
}

/** Replaces the headers' lines of these names by the suite's (RFC 6265 §4.1.1 forbids two of one name). */
export function rewriteOwnCookies(reply: FastifyReply): void {
  const own = reply[kOwnLines]
  if (!own) return
  const others = [reply.getHeader('set-cookie') ?? []].flat().map(String)
  const lines = others.filter((line) => !own.has(nameOfLine(line)))
  for (const line of own.values()) if (line !== null) lines.push(line)
  // `reply.header` would append.
  reply.removeHeader('set-cookie')
  const [first] = lines
  if (first !== undefined) reply.header('set-cookie', lines.length > 1 ? lines : first)
}

/** Writes the headers at once, for an application that answers by `reply.raw`. */
function putLine(reply: FastifyReply, name: string, line: string | null): void {
  const own: OwnLines = reply[kOwnLines] ?? new Map()
  own.delete(name)
  reply[kOwnLines] = own.set(name, line)
  rewriteOwnCookies(reply)
}

function writeCookie(
  reply: FastifyReply,
  { name, attributes }: CookieSpec,
  value: string,
  life: { readonly maxAge?: number; readonly expires?: Date },
): void {
  forbidStoring(reply.raw)
  putLine(reply, name, reply.server[kSerializeCookie](name, value, { ...attributes, ...life }))
}

/** Sets the cookie. Without `maxAge` (seconds) it ends with the browser. */
export function setCookie(reply: FastifyReply, spec: CookieSpec, value: string, maxAge?: number): void {
  writeCookie(reply, spec, value, { maxAge })
}

/** Clears the cookie, with its attributes: without them a browser would keep a `__Host-` cookie. */
export function clearCookie(reply: FastifyReply, spec: CookieSpec): void {
  writeCookie(reply, spec, '', { maxAge: 0, expires: new Date(0) })
}

/** Removes the suite's own line for this cookie. */
export function takeBackCookie(reply: FastifyReply, { name }: CookieSpec): void {
  if (reply[kOwnLines]?.get(name)) putLine(reply, name, null)
}

/** Clears the cookie if the request has it. Otherwise only removes the line that would set it. */
export function removeCookie(request: FastifyRequest, reply: FastifyReply, spec: CookieSpec): void {
  if (readCookie(request.headers.cookie, spec.name).kind !== 'absent') clearCookie(reply, spec)
  else takeBackCookie(reply, spec)
}
