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
 * What makes a public key, and nothing else, so that no private member can slip through. In the order that
 * thumbprints want (RFC 7638 §3.2), with the members that a kind of key does not have left out.
 */
function membersOf(key: KeyObject): { readonly kty: string } {
  const { crv, e, kty = '', n, x, y } = key.export({ format: 'jwk' })
  return JSON.parse(JSON.stringify({ crv, e, kty, n, x, y }))
}

/** The id of a key: its SHA-256 thumbprint (RFC 7638), so that every instance and every order gives the same. */
export function thumbprint(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(membersOf(publicKey)))
    .digest('base64url')
}

/** The public halves of the keys that have one. A shared secret has none and is left out. */
export function publicKeySet(keys: TokenKeys): PublicKeySet {
  const published = keys.flatMap(({ id, algorithm, secret }): PublicJwk[] =>
    Buffer.isBuffer(secret)
      ? []
      : [{ ...membersOf(createPublicKey(secret.public)), use: 'sig', alg: algorithm, kid: id }],
  )
  return { keys: published }
}
