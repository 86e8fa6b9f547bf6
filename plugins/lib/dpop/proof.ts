import { hash } from 'node:crypto'
import { type Compact, type KnownHead, parseCompact, verifyCompact } from '../jws/compact.js'
import { importPublicJwk, type PublicKey } from '../jws/public-key.js'
import { type Static, Type } from '../shape.js'
import { isAddressOf } from './address.js'
import type { FoundNonce, Nonces } from './nonces.js'

/** In characters. A proof with a key of RSA 4096 and a path of 1000 characters is shorter. */
export const PROOF_MAX = 4096

const Text = Type.String({ minLength: 1 })
const isHeader = Type.Object({ typ: Type.Literal('dpop+jwt'), alg: Text, jwk: Type.Unknown })
/** RFC 9449 §4.2. `iat` is required, but not compared: the nonce is the time (§4.3, item 11). */
const isPayload = Type.Object({
  jti: Text,
  htm: Text,
  htu: Text,
  iat: (value: unknown): value is number => Number.isFinite(value),
  ath: Type.Optional(Text),
  nonce: Type.Optional(Text),
})

/** The request that a proof must name. */
export interface ProvedRequest {
  readonly method: string
  /** The target of the request line. */
  readonly target: string
}

/**
 * The first part of a proof, with its key. It is kept because importing a key takes as long as checking a signature.
 */
export interface KnownKey extends KnownHead {
  readonly key: PublicKey
}

/** A proof with a verified signature and a valid nonce, for this request. It may have been used before. */
export interface Proof {
  readonly key: KnownKey
  /** The hash of the access token that it is for, if any. */
  readonly ath: string | null
  readonly nonce: FoundNonce
  /** SHA-256 of the key's thumbprint and `jti`, so that no client can spend the proof of another. */
  readonly id: string
}

/** Why a proof is refused. `nonce`: the client should repeat the request with the nonce of the answer. */
export type ProofFault = 'malformed' | 'mismatch' | 'nonce' | 'signature'

export interface ProofRules {
  readonly origins: readonly string[]
  readonly nonces: Nonces
}

function keyOf(parsed: Compact, known: KnownKey | null): KnownKey | null {
  if (known && known.head === parsed.head) return known
  const { head, header } = parsed
  const key = isHeader(header) ? importPublicJwk(header.jwk) : null
  return key && { head, header, key }
}

function idOf({ thumbprint }: PublicKey, jti: string): string {
  return hash('sha256', thumbprint + jti, 'base64url')
}

function faultOf(
  payload: Static<typeof isPayload>,
  { method, target }: ProvedRequest,
  { origins }: ProofRules,
): ProofFault | null {
  return payload.htm === method && isAddressOf(payload.htu, origins, target) ? null : 'mismatch'
}

/**
 * Checks a proof against its request (RFC 9449 §4.3, items 1 to 11). The signature comes last, because it takes
 * longest.
 * @param text the value of the header. Node joins two lines with a comma, which no proof contains (item 1).
 * @param known the key of an earlier proof, if any
 * @param now in ms
 */
export function checkProof(
  text: unknown,
  request: ProvedRequest,
  rules: ProofRules,
  known: KnownKey | null,
  now: number,
): Proof | ProofFault {
  const parsed = parseCompact(text, PROOF_MAX, known ?? undefined)
  if (!parsed || !isHeader(parsed.header) || !isPayload(parsed.payload)) return 'malformed'
  const { payload } = parsed
  const fault = faultOf(payload, request, rules)
  if (fault) return fault
  const nonce = payload.nonce === undefined ? null : rules.nonces.find(payload.nonce, now)
  if (!nonce) return 'nonce'
  const key = keyOf(parsed, known)
  if (!key) return 'malformed'
  if (!verifyCompact(parsed, key.key)) return 'signature'
  return { key, ath: payload.ath ?? null, nonce, id: idOf(key.key, payload.jti) }
}

/** The hash by which a proof names an access token (RFC 9449 §4.2, `ath`). */
export function hashOfToken(token: string): string {
  return hash('sha256', token, 'base64url')
}
