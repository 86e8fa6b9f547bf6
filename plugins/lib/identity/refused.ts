import type { AuthMode, RefusalCode } from '../contract.js'
import {
  CredentialExpired,
  CredentialInvalid,
  DeviceProofRequired,
  NotSignedIn,
  ProofInvalid,
  ProofNonceRequired,
  SignedOut,
  TokenExpired,
  TokenInvalid,
} from '../errors.js'

/** 401 asks the caller to authenticate (RFC 9110 §15.5.2); 403 is for APIs that specify it. */
export type UnauthenticatedStatus = 401 | 403

/** Where an application keeps its status, for refusals elsewhere. */
export const kUnauthenticatedStatus = Symbol('fastify-identity.unauthenticated-status')

declare module 'fastify' {
  interface FastifyInstance {
    [kUnauthenticatedStatus]: UnauthenticatedStatus
  }
}

/** A credential that a mode refused. */
export interface Refused {
  readonly code: RefusalCode
  readonly mode: AuthMode
  /** Headers of the mode's own. They replace those of the same name. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

const ERRORS = {
  NOT_SIGNED_IN: NotSignedIn,
  TOKEN_EXPIRED: TokenExpired,
  TOKEN_INVALID: TokenInvalid,
  CREDENTIAL_EXPIRED: CredentialExpired,
  CREDENTIAL_INVALID: CredentialInvalid,
  SIGNED_OUT: SignedOut,
  PROOF_INVALID: ProofInvalid,
  PROOF_NONCE_REQUIRED: ProofNonceRequired,
  DEVICE_PROOF_REQUIRED: DeviceProofRequired,
}

/**
 * `WWW-Authenticate` (RFC 9110 §11.6.1), with `error="invalid_token"` for a refused token (RFC 6750 §3.1). `Cookie` if no
 * mode has a registered scheme: a 401 must have a challenge.
 */
function challenge(modes: readonly AuthMode[], refused: readonly Refused[]): string {
  const schemes = new Set(modes.flatMap(({ scheme }) => (scheme ? [scheme] : [])))
  const invalid = new Set(refused.map(({ mode }) => mode.scheme))
  const parts = [...schemes].map((scheme) =>
    invalid.has(scheme) ? `${scheme} error="invalid_token"` : scheme,
  )
  const all = [...parts, ...modes.flatMap(({ challenges = [] }) => challenges)]
  return all.length > 0 ? all.join(', ') : 'Cookie'
}

/** Whether a guard refused because it recognised nobody. */
export function isNobody(error: unknown): boolean {
  return Object.values(ERRORS).some((Raised) => error instanceof Raised)
}

/**
 * The error for a request without a caller.
 * @param decided gives the error's code; by default the first refused one, in the modes' order
 */
export function refusedError(
  status: UnauthenticatedStatus,
  modes: readonly AuthMode[],
  refused: readonly Refused[],
  decided = refused[0],
): Error {
  const error = new ERRORS[decided?.code ?? 'NOT_SIGNED_IN']()
  return Object.assign(error, {
    statusCode: error.statusCode === 403 ? 403 : status,
    headers: { 'www-authenticate': challenge(modes, refused), ...decided?.headers },
  })
}
