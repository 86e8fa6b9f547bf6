import fc from 'fast-check'
import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { NONCE_PERIOD, Nonces } from '../../../../plugins/lib/dpop/nonces.js'
import { checkProof, PROOF_MAX, type ProofFault } from '../../../../plugins/lib/dpop/proof.js'
import { type Fields, proofKey } from '../../../helpers/dpop.js'
import { hostileTexts } from '../../../helpers/hostile.js'
import { ALGORITHMS } from '../../../helpers/signing-key.js'

const NOW = 1000 * NONCE_PERIOD
const nonces = new Nonces(createKeyRing(['a secret that is long enough for tests']).purpose('dpop-nonce'))
const rules = { origins: ['https://example.com'], nonces }
const nonce = nonces.current(NOW)
const GET = { method: 'GET', target: '/me' }
const key = proofKey()
const other = proofKey()
const check = (text: unknown, known: Parameters<typeof checkProof>[3] = null, now = NOW) =>
  checkProof(text, GET, rules, known, now)

for (const algorithm of ALGORITHMS) {
  t.test(`a proof by ${algorithm} is accepted`, async (t) => {
    const key = proofKey(algorithm)
    const found = check(key.prove({ nonce, ath: 'x' }))
    if (typeof found === 'string') return t.fail(found)
    t.equal(found.ath, 'x')
    t.strictSame(found.nonce, { bucket: 1000, isCurrent: true })
    t.strictSame(found.key.key.jwk, key.jwk)
    const next = check(key.prove({ nonce }), found.key)
    if (typeof next === 'string') return t.fail(next)
    t.equal(next.key, found.key, 'a known key is not imported again')
    t.not(next.id, found.id)
    t.equal(next.ath, null)
  })
}

t.test('the time of a proof is its nonce, not its iat', async (t) => {
  for (const iat of [0, -1, NOW / 1000, 1e15, 0.5]) t.type(check(key.prove({ nonce, iat })), 'object')
  const later = NOW + NONCE_PERIOD
  const found = check(key.prove({ nonce, iat: later / 1000 }), null, later)
  t.strictSame(typeof found === 'object' && found.nonce, { bucket: 1000, isCurrent: false })
  t.equal(check(key.prove({ nonce, iat: later / 1000 }), null, later + NONCE_PERIOD), 'nonce')
})

t.test('two keys have nothing in common, whatever jti they choose', async (t) => {
  const ids = [key, other].map((each) => {
    const found = check(each.prove({ nonce, jti: 'same' }))
    return typeof found === 'object' && found.id
  })
  t.ok(ids[0] && ids[1])
  t.not(ids[0], ids[1])
})

type Hostile = readonly [fault: ProofFault, payload: Fields, header?: Fields]

const HOSTILE: Readonly<Record<string, Hostile>> = {
  'no typ': ['malformed', {}, { typ: undefined }],
  'another typ': ['malformed', {}, { typ: 'JWT' }],
  'an access token’s typ': ['malformed', {}, { typ: 'at+jwt' }],
  'alg none': ['signature', {}, { alg: 'none' }],
  'alg HS256': ['signature', {}, { alg: 'HS256' }],
  'no alg': ['malformed', {}, { alg: undefined }],
  'the alg of another kind of key': ['signature', {}, { alg: 'RS256' }],
  'no jwk': ['malformed', {}, { jwk: undefined }],
  'a jwk that is a text': ['malformed', {}, { jwk: JSON.stringify(key.jwk) }],
  'the key of somebody else': ['signature', {}, { jwk: other.jwk }],
  'a private member': ['malformed', {}, { jwk: key.privateKey.export({ format: 'jwk' }) }],
  'a private member alone': ['malformed', {}, { jwk: { ...key.jwk, d: '' } }],
  'a critical extension': ['malformed', {}, { crit: ['exp'] }],
  'a key by address': ['malformed', {}, { jwk: undefined, jku: 'https://evil.com/jwks' }],
  'no jti': ['malformed', { jti: undefined }],
  'an empty jti': ['malformed', { jti: '' }],
  'a jti that is a number': ['malformed', { jti: 1 }],
  'no htm': ['malformed', { htm: undefined }],
  'another method': ['mismatch', { htm: 'POST' }],
  'the method in lower case': ['mismatch', { htm: 'get' }],
  'no htu': ['malformed', { htu: undefined }],
  'another path': ['mismatch', { htu: 'https://example.com/you' }],
  'another origin': ['mismatch', { htu: 'https://example.org/me' }],
  'another scheme': ['mismatch', { htu: 'http://example.com/me' }],
  'no iat': ['malformed', { iat: undefined }],
  'an iat that is a text': ['malformed', { iat: '0' }],
  'an iat that is null': ['malformed', { iat: null }],
  'an ath that is a number': ['malformed', { ath: 1 }],
  'no nonce': ['nonce', { nonce: undefined }],
  'a nonce that is no text': ['malformed', { nonce: 1 }],
  'a nonce of nobody': ['nonce', { nonce: 'x' }],
  'a nonce of two buckets ago': ['nonce', { nonce: nonces.current(NOW - 2 * NONCE_PERIOD) }],
  'a nonce of the future': ['nonce', { nonce: nonces.current(NOW + NONCE_PERIOD) }],
  'a proof that is too long': ['malformed', { long: 'x'.repeat(PROOF_MAX) }],
}

for (const [name, [fault, payload, header]] of Object.entries(HOSTILE)) {
  t.test(`refused: ${name}`, async (t) => {
    t.type(check(key.prove({ nonce })), 'object', 'without that it is good')
    t.equal(check(key.prove({ nonce, ...payload }, header)), fault)
  })
}

t.test('refused: altered texts, and texts that are no proof', async (t) => {
  const good = key.prove({ nonce })
  const [head, body, signature] = good.split('.')
  const stranger = other.prove({ nonce }).split('.')
  for (const [name, text] of Object.entries({
    'no header': undefined,
    'two lines as a list': [good, good],
    'two lines as Node joins them': `${good}, ${good}`,
    'one line and an empty one': `${good}, `,
    'another signature': `${head}.${body}.${stranger[2]}`,
    'another payload': `${head}.${stranger[1]}.${signature}`,
    'no signature': `${head}.${body}.`,
    'a signature with padding': `${good}==`,
  }))
    t.type(check(text), 'string', name)
  const twice = `{"htm":"POST",${JSON.stringify(key.payloadOf({ nonce })).slice(1)}`
  t.equal(check(key.signed(key.headerOf(), twice)), 'malformed', 'a name twice')
})

t.test('a known key does not let another key’s proof pass', async (t) => {
  const found = check(key.prove({ nonce }))
  if (typeof found === 'string') return t.fail(found)
  const [, body, signature] = other.prove({ nonce }).split('.')
  t.equal(check(`${found.key.head}.${body}.${signature}`, found.key), 'signature')
  const own = check(other.prove({ nonce }), found.key)
  t.strictSame(typeof own === 'object' && own.key.key.jwk, other.jwk)
})

t.test('the check throws nothing, whatever a client signs', async () => {
  const genuine = key.payloadOf({ nonce, ath: 'x' })
  fc.assert(
    fc.property(hostileTexts(genuine), hostileTexts(key.headerOf()), (payload, header) => {
      check(key.signed(key.headerOf(), payload))
      check(key.signed(header, genuine))
      return true
    }),
    { numRuns: 200 },
  )
})
