import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { CrossSite, HostAmbiguous, OptionInvalid, Prefetch } from '../errors.js'
import { countHeaderLines } from './header-lines.js'

type Hook = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** The same-origin check, for routes without a guard. */
export interface Csrf {
  /** Hook for logins and refreshes: refuses a request from another site (`CROSS_SITE`). */
  readonly sameOrigin: Hook
  /** Hook for logouts, `GET` ones included (`CROSS_SITE`, `PREFETCH`). */
  readonly logout: Hook
  /**
   * For a caller that a mode with ambient authority recognised: refuses an unsafe request, or a WebSocket handshake, from
   * another site.
   * @throws CROSS_SITE
   */
  checkAmbient(request: FastifyRequest): void
}

/** True for the methods that change nothing (RFC 9110 §9.2.1). */
export function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE'
}

type Asked = Pick<FastifyRequest, 'method' | 'headers'>

/** True for a WebSocket handshake (RFC 6455 §4.2.1). */
export function isHandshake({ headers: { upgrade } }: Pick<Asked, 'headers'>): boolean {
  return upgrade !== undefined && /websocket/i.test(upgrade)
}

/**
 * True for a request that may change something. A WebSocket handshake is a GET, but a page of any site may open one with
 * its visitor's cookies and read the answer: CORS does not apply to it (RFC 6455 §10.2).
 */
export function isUnsafe(request: Asked): boolean {
  return !isSafeMethod(request.method) || isHandshake(request)
}

/**
 * The origin of a web page, as a browser writes it: no path, no user. Not `capacitor://localhost`, which is an app's own
 * pages and not the web server on `localhost`. Not `*`, which would match nothing.
 */
const WEB_ORIGIN = /^(https?:\/\/)[^\s/?#@\\,*]+$/i

/** Origins as browsers send them (RFC 6454 §6.2), checked and copied. @throws OPTION_INVALID */
export function parseOrigins(origins: readonly string[]): ReadonlySet<string> {
  for (const origin of origins) {
    if (!WEB_ORIGIN.test(origin) || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new OptionInvalid('allowedOrigins', 'wants origins such as https://app.example.com')
    }
  }
  return new Set(origins)
}

/** Compares with the origin's scheme, because for https `example.com:443` is `example.com`. */
function isHost(origin: string, host: string): boolean {
  const [, scheme] = WEB_ORIGIN.exec(origin) ?? []
  const own = `${scheme}${host}`
  if (!scheme || !WEB_ORIGIN.test(own) || !URL.canParse(origin) || !URL.canParse(own)) return false
  return new URL(own).host === new URL(origin).host
}

/**
 * Whether the request came from our own pages, from a program, or from an allowed origin. `Sec-Fetch-Site` decides (W3C
 * Fetch Metadata §2.3), or `Origin` without it. A client that sends neither is no browser: nobody can abuse its cookies.
 * @throws HOST_AMBIGUOUS if `Origin` must be compared and there are two hosts
 */
export function isSameOrigin(request: FastifyRequest, allowed: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && allowed.has(origin)) return true
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  if (origin === undefined) return true
  if (hasTwoHosts(request)) throw new HostAmbiguous()
  return isHost(origin, request.host)
}

/** Two `Host` lines are invalid (RFC 9112 §3.2): a proxy may have used the one that Node drops. */
export function hasTwoHosts({ raw }: Pick<FastifyRequest, 'raw'>): boolean {
  return countHeaderLines(raw, 'host') > 1
}

/** @throws CROSS_SITE for a request from another site, HOST_AMBIGUOUS */
export function checkSameOrigin(request: FastifyRequest, allowed: ReadonlySet<string>): void {
  if (!isSameOrigin(request, allowed)) throw new CrossSite()
}

function isPrefetch(request: FastifyRequest): boolean {
  const { 'sec-purpose': secPurpose, purpose } = request.headers
  return /\bprefetch\b/i.test(`${secPurpose},${purpose}`)
}

/** Over plain http, a browser sends neither header with a navigation or an image load. */
function isUnlabelledBrowser(request: FastifyRequest): boolean {
  const { origin, accept, 'sec-fetch-site': site } = request.headers
  return origin === undefined && site === undefined && /text\/html|image\//i.test(accept ?? '')
}

/**
 * The check for a logout, which may be a plain link: another site's link or image must not sign anybody out.
 * @throws CROSS_SITE, PREFETCH
 */
export function checkLogoutOrigin(request: FastifyRequest, allowed: ReadonlySet<string>): void {
  // A link checker sends HEAD, and must sign nobody out.
  if (request.method === 'HEAD' || isPrefetch(request)) throw new Prefetch()
  checkSameOrigin(request, allowed)
  if (request.method === 'GET' && isUnlabelledBrowser(request)) throw new CrossSite()
}
