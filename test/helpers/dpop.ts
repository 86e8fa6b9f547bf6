import { createHash, randomUUID, sign } from 'node:crypto'
import { type Algorithm, keyPair } from './signing-key.js'

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Fields of a proof. An undefined one is left out. A text stands for the whole JSON of its part. */
export type Fields = Readonly<Record<string, unknown>>

export const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url')

/** A client's key, which makes proofs. `iat` is 0 in all of them: the nonce is the time. */
export function proofKey(algorithm: Algorithm = 'ES256') {
  const { privateKey, publicKey } = keyPair(algorithm)
  const jwk = publicKey.export({ format: 'jwk' })
  const signed = (header: unknown, payload: unknown) => {
    const text = `${encode(header)}.${encode(payload)}`
    const hash = algorithm === 'EdDSA' ? null : 'sha256'
    const signature = sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${text}.${signature.toString('base64url')}`
  }
  const headerOf = (changes: Fields = {}) => ({ typ: 'dpop+jwt', alg: algorithm, jwk, ...changes })
  const payloadOf = (changes: Fields = {}) => ({
    jti: randomUUID(),
    htm: 'GET',
    htu: 'https://example.com/me',
    iat: 0,
    ...changes,
  })
  return {
    algorithm,
    privateKey,
    publicKey,
    jwk,
    headerOf,
    payloadOf,
    signed,
    /** A proof, good except for the changes. */
    prove: (payload?: Fields, header?: Fields) => signed(headerOf(header), payloadOf(payload)),
  }
}

export type ProofKey = ReturnType<typeof proofKey>
