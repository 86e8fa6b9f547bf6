import type { FastifyRequest } from 'fastify'
import { CredentialAmbiguous } from '../errors.js'
import { countHeaderLines } from './header-lines.js'

/** A scheme of tokens. */
interface Scheme {
  readonly name: string
  /** The scheme, followed by a character that cannot be part of its name (RFC 9110 §5.6.2), in any case (§11.1). */
  readonly start: RegExp
  /** The scheme, one space and a token68 (RFC 6750 §2.1, RFC 9449 §7.1, RFC 9110 §11.4). */
  readonly credentials: RegExp
}

const BEARER: Scheme = {
  name: 'Bearer',
  start: /^bearer(?![\w!#$%&'*+.^`|~-])/i,
  credentials: /^bearer ([\w.~+/-]+=*)$/i,
}
const DPOP: Scheme = {
  name: 'DPoP',
  start: /^dpop(?![\w!#$%&'*+.^`|~-])/i,
  credentials: /^dpop ([\w.~+/-]+=*)$/i,
}

/** RFC 6750 §3.1: a malformed request is 400, `invalid_request`. */
function ambiguous({ name } = BEARER): Error {
  const headers = { 'www-authenticate': `${name} error="invalid_request"` }
  return Object.assign(new CredentialAmbiguous(), { headers })
}

function tokenOf(header: string, scheme: Scheme): string | null {
  if (!scheme.start.test(header)) return null
  const token = scheme.credentials.exec(header)?.[1]
  if (token === undefined) throw ambiguous(scheme)
  return token
}

/**
 * The bearer token of a request, or null if it has none:
 * - no header, an empty one, or any scheme except Bearer (`Bearerx` is another one): null;
 * - `bearer` in any case, one space, a token68: the token, unverified;
 * - Bearer followed by anything else (nothing, two spaces, a tab, a list, `Bearer,abc`): an error;
 * - two `Authorization` lines of any scheme: an error, because proxies differ on which one counts.
 *
 * Node's parser has removed white space around the whole value (RFC 9110 §5.5).
 * @throws CREDENTIAL_AMBIGUOUS
 */
export function readBearer(request: FastifyRequest): string | null {
  const header = readAuthorization(request)
  return header === null ? null : bearerOf(header)
}

/**
 * The only `Authorization` line of a request, or null if it has none.
 * @throws CREDENTIAL_AMBIGUOUS if there are two
 */
export function readAuthorization(request: FastifyRequest): string | null {
  const header: unknown = request.headers.authorization
  if (header === undefined) return null
  // An adapter may hand over several lines as a list.
  if (typeof header !== 'string' || countHeaderLines(request.raw, 'authorization') > 1) throw ambiguous()
  return header
}

/** The bearer token in an `Authorization` line, or null. @throws CREDENTIAL_AMBIGUOUS if it is malformed */
export function bearerOf(header: string): string | null {
  return tokenOf(header, BEARER)
}

/** The same for the scheme DPoP (RFC 9449 §7.1). @throws CREDENTIAL_AMBIGUOUS if it is malformed */
export function dpopOf(header: string): string | null {
  return tokenOf(header, DPOP)
}
