import { OptionInvalid } from '../errors.js'

/*
 * The address of a request as a proof names it (`htu`, RFC 9449 §4.2): the configured origin, and the path as it was
 * sent. The request's `Host` is never used, because its sender chooses it.
 */

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Whether a text is an origin over https, or over http on this machine. */
export function isPublicOrigin(text: unknown): text is string {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const { origin, protocol, hostname } = new URL(text)
  return origin === text && (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname)))
}

/** @throws OPTION_INVALID */
export function checkPublicOrigins(origins: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(origins) ? origins : []
  if (list.length === 0 || !list.every(isPublicOrigin)) {
    throw new OptionInvalid(
      'dpop.origins',
      'wants the origins of this server as clients reach it, such as https://example.com; http only for localhost',
    )
  }
  return Object.freeze([...list])
}

const UNRESERVED = /[\w.~-]/

/** Gives percent-encoded octets one spelling (RFC 3986 §6.2.2). Paths that a router tells apart stay different. */
function normalise(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%[\da-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16))
    return UNRESERVED.test(character) ? character : octet.toUpperCase()
  })
}

/** The path of a request's target, without query and fragment. */
function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return end === -1 ? target : target.slice(0, end)
}

/** The origin and path of an address, or null. Ignores query, fragment, the default port and the case of the host. */
function readAddress(htu: string): { readonly origin: string; readonly path: string } | null {
  if (!URL.canParse(htu)) return null
  const { origin, pathname, username, password } = new URL(htu)
  return username === '' && password === '' ? { origin, path: normalise(pathname) } : null
}

/**
 * Whether `htu` names the request's target at one of the origins.
 * @param target of the request line, as it was sent. Dot segments are not resolved, because the router does not resolve
 * them either.
 */
export function isAddressOf(htu: string, origins: readonly string[], target: string): boolean {
  const path = pathOf(target)
  if (origins.some((origin) => htu.length === origin.length + path.length && htu === origin + path))
    return true
  const address = readAddress(htu)
  return address !== null && origins.includes(address.origin) && address.path === normalise(path)
}
