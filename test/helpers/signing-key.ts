import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'

export const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export interface KeyPair {
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly privatePem: string
  readonly publicPem: string
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString()
}

function generate(algorithm: Algorithm): KeyObject {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}

/** A new key of the kind that an algorithm needs. */
export function keyPair(algorithm: Algorithm): KeyPair {
  const privateKey = generate(algorithm)
  const publicKey = createPublicKey(privateKey)
  return { algorithm, privateKey, publicKey, privatePem: pemOf(privateKey), publicPem: pemOf(publicKey) }
}
