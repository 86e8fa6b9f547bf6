import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import { importPublicJwk } from '../../../../plugins/lib/jws/public-key.js'
import { ALGORITHMS, keyPair } from '../../../helpers/signing-key.js'

const KEYS = Object.fromEntries(
  ALGORITHMS.map((algorithm) => {
    const { privateKey, publicKey } = keyPair(algorithm)
    return [
      algorithm,
      { all: privateKey.export({ format: 'jwk' }), jwk: publicKey.export({ format: 'jwk' }) },
    ]
  }),
)
const jwkOf = (algorithm: string): JsonWebKey => KEYS[algorithm]?.jwk ?? {}
const ecOn = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' })
/** A key whose modulus is a number of that many bits. Reading it factors nothing. */
const rsaOf = (bits: number) => {
  const n = Buffer.from(
    ((1n << BigInt(bits - 1)) + 1n).toString(16).padStart(2 * Math.ceil(bits / 8), '0'),
    'hex',
  )
  return { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }
}
/** The same bytes with other unused bits: `A` is 0, `B` is 1. */
const respelled = (text = '') => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) ?? '') ^ 1]
}
const prefixed = (text = '') => Buffer.from(`00${Buffer.from(text, 'base64url').toString('hex')}`, 'hex')

for (const algorithm of ALGORITHMS) {
  t.test(`a key for ${algorithm} is taken, with its thumbprint and nothing else`, async (t) => {
    const jwk = jwkOf(algorithm)
    const found = importPublicJwk({
      ...jwk,
      kid: 'x',
      ext: true,
      key_ops: ['verify'],
      use: 'sig',
      alg: algorithm,
    })
    t.equal(found?.alg, algorithm)
    t.strictSame(found?.jwk, jwk)
    t.equal(found?.thumbprint, await calculateJwkThumbprint(jwk))
    t.strictSame(found?.key.export({ format: 'jwk' }), jwk)
    t.ok(found?.key.equals(createPublicKey({ key: jwk, format: 'jwk' })))
  })

  t.test(`a key for ${algorithm} with a private member is refused`, async (t) => {
    t.equal(importPublicJwk(KEYS[algorithm]?.all), null, 'the whole private key')
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])
      for (const value of ['AQ', '', null, []])
        t.equal(importPublicJwk({ ...jwkOf(algorithm), [member]: value }), null, member)
  })
}

t.test('a key of RSA with 4096 bits is the largest', async (t) => {
  t.equal(importPublicJwk(rsaOf(4096))?.alg, 'RS256')
  t.equal(importPublicJwk(rsaOf(2047)), null)
  t.equal(importPublicJwk(rsaOf(1024)), null)
  t.equal(importPublicJwk(rsaOf(4104)), null)
})

const ec = jwkOf('ES256')
const okp = jwkOf('EdDSA')
const rsa = jwkOf('RS256')
const HOSTILE: Readonly<Record<string, unknown>> = {
  'no object': 'jwk',
  nothing: null,
  'a list': [ec],
  'without kty': { ...ec, kty: undefined },
  'another kty': { ...ec, kty: 'oct' },
  'a kty that every object has': { ...ec, kty: 'constructor' },
  'P-384': ecOn('P-384'),
  secp256k1: ecOn('secp256k1'),
  'P-384 under the name P-256': { ...ecOn('P-384'), crv: 'P-256' },
  'Ed25519 as EC': { ...okp, kty: 'EC' },
  'P-256 as OKP': { ...ec, kty: 'OKP' },
  X25519: generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }),
  Ed448: generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' }),
  'without y': { ...ec, y: undefined },
  'a point that is not on the curve': { ...ec, y: ec.x },
  'a coordinate with a zero before it': { ...ec, x: prefixed(ec.x).toString('base64url') },
  'a coordinate in another spelling': { ...ec, x: respelled(ec.x) },
  'a coordinate with padding': { ...ec, x: `${ec.x}=` },
  'a coordinate that is a number': { ...ec, x: 1 },
  'an algorithm of another kind': { ...ec, alg: 'RS256' },
  'no algorithm': { ...ec, alg: 'none' },
  'an algorithm that is no text': { ...ec, alg: null },
  'a key for encryption': { ...ec, use: 'enc' },
  'a key that may not verify': { ...ec, key_ops: ['sign'] },
  'key_ops that are no list': { ...ec, key_ops: 'verify' },
  'a modulus with a zero before it': { ...rsa, n: prefixed(rsa.n).toString('base64url') },
  'a modulus in another spelling': { ...rsa, n: `${rsa.n}=` },
  'an exponent of 1': { ...rsa, e: 'AQ' },
  'an exponent of 3': { ...rsa, e: 'Aw' },
  'an even exponent': { ...rsa, e: Buffer.from('010002', 'hex').toString('base64url') },
  'an exponent of 2048 bits': { ...rsa, e: rsa.n },
  'an exponent with a zero before it': { ...rsa, e: Buffer.from('00010001', 'hex').toString('base64url') },
}

for (const [name, jwk] of Object.entries(HOSTILE)) {
  t.test(`refused: ${name}`, async (t) => {
    t.equal(importPublicJwk(jwk), null)
  })
}

t.test('whatever a client sends, no import throws or keeps a member of the client', async () => {
  const member = fc.oneof(fc.jsonValue(), fc.constantFrom(ec.x, okp.x, rsa.n, 'AQAB', 'P-256', 'Ed25519'))
  const jwks = fc
    .tuple(fc.constantFrom(ec, okp, rsa), fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'alg'), member)
    .map(([jwk, name, value]) => ({ ...jwk, [name]: value }))
  fc.assert(
    fc.property(fc.oneof(jwks, fc.jsonValue()), (jwk) => {
      const found = importPublicJwk(jwk)
      if (found)
        return Object.keys(found.jwk).every((name) => ['crv', 'e', 'kty', 'n', 'x', 'y'].includes(name))
      return found === null
    }),
  )
})
