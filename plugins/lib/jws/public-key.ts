import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { Type } from '../shape.js'

/*
 * Public keys that a client sends beside its signature (RFC 7517). The client chooses its key, so each member is
 * checked, and only checked members are kept.
 */

/** One for each kind of key (RFC 7518 §3.3, §3.4, RFC 8037 §3.1). */
export type SignatureAlgorithm = 'ES256' | 'EdDSA' | 'RS256'

/** A client's public key. */
export interface PublicKey {
  readonly key: KeyObject
  readonly alg: SignatureAlgorithm
  /** The required public members alone, in the order of thumbprints. */
  readonly jwk: Readonly<Record<string, string>>
  /** SHA-256 thumbprint (RFC 7638), in base64url. It names the key in tokens. */
  readonly thumbprint: string
}

/** RFC 7518 §6.2.2, §6.3.2, §6.4. A client that sends one of them has published its key. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const COORDINATE_BYTES = 32
const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 4096
/** FIPS 186-5 §5.1. With an exponent of 1 anybody could sign. */
const RSA_EXPONENT_MIN = 65_537n
/** Each bit of the exponent makes the check of a signature slower. */
const RSA_EXPONENT_BYTES = 8

const isJwk = Type.Object({
  kty: Type.String(),
  alg: Type.Optional(Type.String()),
  use: Type.Optional(Type.Literal('sig')),
  key_ops: Type.Optional(Type.Array(Type.String())),
})

/** The bytes of a member in its only spelling (RFC 4648 §3.5), or null. */
function bytesOf(jwk: object, name: string): Buffer | null {
  const text: unknown = Reflect.get(jwk, name)
  if (typeof text !== 'string' || text === '') return null
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}

/** A member of a curve has a fixed length (RFC 7518 §6.2.1.2, RFC 8037 §2). */
function coordinate(jwk: object, name: string): string | null {
  const bytes = bytesOf(jwk, name)
  return bytes?.length === COORDINATE_BYTES ? bytes.toString('base64url') : null
}

/** The number of a member without leading zeros (RFC 7518 §2, `Base64urlUInt`), or null. */
function numberOf(jwk: object, name: string, bytesMax: number): bigint | null {
  const bytes = bytesOf(jwk, name)
  if (!bytes || bytes[0] === 0 || bytes.length > bytesMax) return null
  return BigInt(`0x${bytes.toString('hex')}`)
}

function rsaMembers(jwk: object): Record<string, string> | null {
  const n = numberOf(jwk, 'n', RSA_BITS_MAX / 8)
  const e = numberOf(jwk, 'e', RSA_EXPONENT_BYTES)
  if (n === null || e === null) return null
  const isFit = n >> BigInt(RSA_BITS_MIN - 1) > 0n && e >= RSA_EXPONENT_MIN && e % 2n === 1n
  if (!isFit) return null
  return { e: String(Reflect.get(jwk, 'e')), kty: 'RSA', n: String(Reflect.get(jwk, 'n')) }
}

function curveMembers(jwk: object, kty: string): Record<string, string> | null {
  const crv: unknown = Reflect.get(jwk, 'crv')
  const x = coordinate(jwk, 'x')
  if (kty === 'OKP') return crv === 'Ed25519' && x ? { crv, kty, x } : null
  const y = coordinate(jwk, 'y')
  return crv === 'P-256' && x && y ? { crv, kty, x, y } : null
}

const ALGORITHMS: Readonly<Record<string, SignatureAlgorithm>> = Object.freeze({
  EC: 'ES256',
  OKP: 'EdDSA',
  RSA: 'RS256',
})

/** Whether a client means this algorithm. `Ed25519` is the newer name of EdDSA on that curve (RFC 9864). */
export function isNameOf(name: unknown, alg: SignatureAlgorithm): boolean {
  return name === alg || (alg === 'EdDSA' && name === 'Ed25519')
}

function algorithmOf(jwk: unknown): SignatureAlgorithm | null {
  if (!isJwk(jwk) || PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return null
  if (jwk.key_ops && !jwk.key_ops.includes('verify')) return null
  const alg = Object.hasOwn(ALGORITHMS, jwk.kty) ? ALGORITHMS[jwk.kty] : undefined
  return alg === undefined || (jwk.alg !== undefined && !isNameOf(jwk.alg, alg)) ? null : alg
}

/** Node throws for a point that is not on the curve. */
function importQuietly(jwk: Record<string, string>): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return null
  }
}

/**
 * Imports a client's public key: P-256, Ed25519, or RSA of 2048 to 4096 bits.
 * @returns null for any other key, one with a private member, or one made for another algorithm or use. Never throws.
 */
export function importPublicJwk(jwk: unknown): PublicKey | null {
  const alg = algorithmOf(jwk)
  if (alg === null || typeof jwk !== 'object' || jwk === null) return null
  const members = alg === 'RS256' ? rsaMembers(jwk) : curveMembers(jwk, alg === 'ES256' ? 'EC' : 'OKP')
  const key = members && importQuietly(members)
  if (!members || !key) return null
  const thumbprint = createHash('sha256').update(JSON.stringify(members)).digest('base64url')
  return Object.freeze({ key, alg, jwk: Object.freeze(members), thumbprint })
}
