import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import type { TokenAlgorithm, TokenKeys } from './codecs.js'

/** A public key for verifying signatures (RFC 7517 §4). */
export interface PublicJwk {
  readonly kty: string
  readonly use: 'sig'
  readonly alg: TokenAlgorithm
  readonly kid: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/** RFC 7517 §5. */
export interface PublicKeySet {
  keys: PublicJwk[]
}

/**
 * The members of a public key, listed by name so that no private one can leak. In the order of thumbprints (RFC 7638 §3.2).
 * `stringify` removes the undefined ones.
 */
function membersOf(key: KeyObject): { readonly kty: string } {
  const { crv, e, kty = '', n, x, y } = key.export({ format: 'jwk' })
  return JSON.parse(JSON.stringify({ crv, e, kty, n, x, y }))
}

/** The id of a key: its SHA-256 thumbprint (RFC 7638), the same on every instance. */
export function thumbprint(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(membersOf(publicKey)))
    .digest('base64url')
}

/** The public halves of the keys. A shared secret has none. */
export function publicKeySet(keys: TokenKeys): PublicKeySet {
  const published = keys.flatMap(({ id, algorithm, secret }): PublicJwk[] =>
    Buffer.isBuffer(secret)
      ? []
      : [{ ...membersOf(createPublicKey(secret.public)), use: 'sig', alg: algorithm, kid: id }],
  )
  return { keys: published }
}
