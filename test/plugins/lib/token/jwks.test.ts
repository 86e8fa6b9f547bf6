import { createPublicKey } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import t from 'tap'
import type { TokenKeys } from '../../../../plugins/lib/token/codecs.js'
import { publicKeySet, thumbprint } from '../../../../plugins/lib/token/jwks.js'
import { checkSigningKeys, combineTokenKeys } from '../../../../plugins/lib/token/signing-keys.js'
import { ALGORITHMS, keyPair } from '../../../helpers/signing-key.js'

const SHARED: TokenKeys = [{ id: 'shared-1', algorithm: 'HS256', secret: Buffer.alloc(32, 7) }]
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']

t.test('thumbprints are those of RFC 7638 and RFC 8037', async (t) => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const rsa = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
  t.equal(thumbprint(rsa), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs', 'RFC 7638 §3.1')
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
  const ed25519 = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  t.equal(thumbprint(ed25519), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k', 'RFC 8037 §A.3')
})

for (const algorithm of ALGORITHMS) {
  t.test(`a key for ${algorithm} is published as another library would`, async (t) => {
    const { privatePem, publicPem, publicKey } = keyPair(algorithm)
    const expected = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(expected)
    for (const pem of [privatePem, publicPem]) {
      const keys = combineTokenKeys(checkSigningKeys(['shared', pem], Error), SHARED)
      t.strictSame(publicKeySet(keys), { keys: [{ ...expected, use: 'sig', alg: algorithm, kid }] })
    }
  })
}

t.test('no private member and no shared secret is published', async (t) => {
  t.strictSame(publicKeySet(SHARED), { keys: [] })
  const pems = ALGORITHMS.map((algorithm) => keyPair(algorithm).privatePem)
  const set = publicKeySet(combineTokenKeys(checkSigningKeys(pems, Error), SHARED))
  t.equal(set.keys.length, pems.length)
  for (const key of set.keys) for (const member of PRIVATE_MEMBERS) t.notOk(member in key, member)
})
