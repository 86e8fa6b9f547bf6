import type { FastifyRequest } from 'fastify'
import { CredentialAmbiguous } from '../errors.js'
import { countHeaderLines } from './header-lines.js'

/** The scheme, ended by whatever cannot be part of its name (a token, RFC 9110 §5.6.2). Case counts for nothing (§11.1). */
const SCHEME = /^bearer(?![\w!#$%&'*+.^`|~-])/i
/** The scheme, one space and a token68 (RFC 6750 §2.1, RFC 9110 §11.4). */
const CREDENTIALS = /^bearer ([\w.~+/-]+=*)$/i

/** RFC 6750 §3.1: a malformed request is 400, `invalid_request`. */
function ambiguous(): Error {
  const headers = { 'www-authenticate': 'Bearer error="invalid_request"' }
  return Object.assign(new CredentialAmbiguous(), { headers })
}

/**
 * The bearer token of a request, or null when it has none. Each odd form has one answer:
 * - no header, an empty one, any scheme but Bearer (`Bearerx` is another one): null;
 * - `bearer` in any case, one space, a token68: the token, whatever is in it;
 * - Bearer followed by anything else (nothing, two spaces, a tab, a list, `Bearer,abc`): an error;
 * - two `Authorization` lines, whatever their schemes, since proxies differ on which one counts: an error.
 *
 * White space around the whole value is not seen here: Node's parser removes it (RFC 9110 §5.5).
 * @throws CREDENTIAL_AMBIGUOUS
 */
export function readBearer(request: FastifyRequest): string | null {
  const header = readAuthorization(request)
  return header === null ? null : bearerOf(header)
}

/**
 * The only `Authorization` line of a request, or null when there is none.
 * @throws CREDENTIAL_AMBIGUOUS when there are two
 */
export function readAuthorization(request: FastifyRequest): string | null {
  const header: unknown = request.headers.authorization
  if (header === undefined) return null
  // An adapter may hand over several lines as a list.
  if (typeof header !== 'string' || countHeaderLines(request.raw, 'authorization') > 1) throw ambiguous()
  return header
}

/**
 * The bearer token in an `Authorization` line, or null.
 * @throws CREDENTIAL_AMBIGUOUS when it is malformed
 */
export function bearerOf(header: string): string | null {
  if (!SCHEME.test(header)) return null
  const token = CREDENTIALS.exec(header)?.[1]
  if (token === undefined) throw ambiguous()
  return token
}
