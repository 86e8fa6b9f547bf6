import { sign } from 'node:crypto'
import fc from 'fast-check'
import { SignJWT } from 'jose'
import t from 'tap'
import { parseCompact, verifyCompact } from '../../../../plugins/lib/jws/compact.js'
import { importPublicJwk } from '../../../../plugins/lib/jws/public-key.js'
import { hostileTexts } from '../../../helpers/hostile.js'
import { ALGORITHMS, type Algorithm, keyPair } from '../../../helpers/signing-key.js'

const MAX = 4096
const encode = (text: string | Buffer) => Buffer.from(text).toString('base64url')

const PAIRS = new Map(ALGORITHMS.map((algorithm) => [algorithm, keyPair(algorithm)]))

function pairOf(algorithm: Algorithm) {
  const pair = PAIRS.get(algorithm)
  const key = importPublicJwk(pair?.publicKey.export({ format: 'jwk' }))
  if (!pair || !key) throw new Error('no key')
  return { ...pair, key }
}

const jwt = (algorithm: Algorithm, header: object = {}) =>
  new SignJWT({ jti: 'a', n: { deep: [1, 'two:'] } })
    .setProtectedHeader({ alg: algorithm, ...header })
    .sign(pairOf(algorithm).privateKey)

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: a text that another library signed is read and verified`, async (t) => {
    const parsed = parseCompact(await jwt(algorithm, { typ: 'x' }), MAX)
    t.strictSame(parsed?.header, { alg: algorithm, typ: 'x' })
    t.strictSame(parsed?.payload, { jti: 'a', n: { deep: [1, 'two:'] } })
    if (!parsed) return
    for (const other of ALGORITHMS)
      t.equal(verifyCompact(parsed, pairOf(other).key), other === algorithm, `under ${other}`)
    t.notOk(
      verifyCompact(parsed, { ...pairOf(algorithm).key, key: keyPair(algorithm).publicKey }),
      'other key',
    )
    t.notOk(verifyCompact({ ...parsed, signed: `${parsed.signed}x` }, pairOf(algorithm).key), 'other text')
    t.notOk(verifyCompact({ ...parsed, header: { alg: 'none' } }, pairOf(algorithm).key), 'alg none')
    for (const length of [0, 1, 63, 65, 5000])
      t.notOk(
        verifyCompact({ ...parsed, signature: Buffer.alloc(length, 1) }, pairOf(algorithm).key),
        `${length}`,
      )
  })
}

t.test('Ed25519 is another name of EdDSA, and of no other algorithm', async (t) => {
  for (const algorithm of ALGORITHMS) {
    const parsed = parseCompact(await jwt(algorithm), MAX)
    const renamed = parsed && { ...parsed, header: { alg: 'Ed25519' } }
    t.equal(renamed && verifyCompact(renamed, pairOf(algorithm).key), algorithm === 'EdDSA', algorithm)
    const jwk = { ...pairOf(algorithm).key.jwk, alg: 'Ed25519' }
    t.equal(importPublicJwk(jwk)?.alg, algorithm === 'EdDSA' ? 'EdDSA' : undefined)
  }
})

t.test('a signature in ASN.1 is none of ES256', async (t) => {
  const { privateKey, key } = pairOf('ES256')
  const signed = `${encode('{"alg":"ES256"}')}.${encode('{}')}`
  const parsed = parseCompact(`${signed}.${encode(sign('sha256', Buffer.from(signed), privateKey))}`, MAX)
  t.ok(parsed)
  if (parsed) t.notOk(verifyCompact(parsed, key))
})

t.test('a first part that is known is not read again, and another one is', async (t) => {
  const parsed = parseCompact(await jwt('EdDSA'), MAX)
  if (!parsed) return
  const header = { alg: 'EdDSA', known: true }
  t.equal(parseCompact(await jwt('EdDSA'), MAX, { head: parsed.head, header })?.header, header)
  t.strictSame(parseCompact(await jwt('EdDSA', { typ: 'y' }), MAX, { head: parsed.head, header })?.header, {
    alg: 'EdDSA',
    typ: 'y',
  })
})

const BODY = encode('{"a":1}')
const HEAD = encode('{"alg":"ES256"}')
const HOSTILE: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  'a list of two lines': [`${HEAD}.${BODY}.AA`],
  empty: '',
  'two parts': `${HEAD}.${BODY}`,
  'four parts': `${HEAD}.${BODY}.AA.AA`,
  'an empty signature': `${HEAD}.${BODY}.`,
  'an empty payload': `${HEAD}..AA`,
  'an empty header': `.${BODY}.AA`,
  'another spelling of the last bits': `${HEAD}.${BODY}.AB`,
  padding: `${HEAD}.${BODY}=.AA`,
  'base64 instead of base64url': `${HEAD}.${BODY}.+/+/`,
  'white space': `${HEAD}.${BODY}.AA `,
  'two joined by a comma': `${HEAD}.${BODY}.AA, ${HEAD}.${BODY}.AA`,
  'a payload that is a list': `${HEAD}.${encode('[]')}.AA`,
  'a payload that is null': `${HEAD}.${encode('null')}.AA`,
  'a payload that is no JSON': `${HEAD}.${encode('{a:1}')}.AA`,
  'a byte order mark': `${HEAD}.${encode('\ufeff{}')}.AA`,
  'malformed UTF-8': `${HEAD}.${encode(Buffer.from([0x7b, 0x22, 0xc3, 0x22, 0x3a, 0x31, 0x7d]))}.AA`,
  'a name twice': `${HEAD}.${encode('{"htm":"GET","htm":"POST"}')}.AA`,
  'a name twice, once in another spelling': `${HEAD}.${encode('{"htm":"GET","h\\u0074m":"POST"}')}.AA`,
  'a name twice, deep inside': `${encode('{"alg":"ES256","jwk":[{"x":1 , "x" : 2}]}')}.${BODY}.AA`,
  'a critical extension': `${encode('{"alg":"ES256","crit":["b64"],"b64":false}')}.${BODY}.AA`,
  'too long': `${HEAD}.${encode(`{"a":"${'a'.repeat(MAX)}"}`)}.AA`,
}

for (const [name, text] of Object.entries(HOSTILE)) {
  t.test(`refused: ${name}`, async (t) => {
    t.equal(parseCompact(text, MAX), null)
  })
}

t.test('names and colons inside of texts are no names', async (t) => {
  const payload = { '"a":': '"b":"c"', __proto__: null, '\\': ['\\":', { '': ':' }] }
  const text = `${HEAD}.${encode(JSON.stringify(payload, null, 2))}.AA`
  t.strictSame(parseCompact(text, MAX)?.payload, JSON.parse(JSON.stringify(payload)))
  t.ok(parseCompact(`${HEAD}.${encode('{"__proto__":{"a":1}}')}.AA`, MAX))
})

t.test('reading throws nothing for any text, and finds the same as JSON.parse', async () => {
  const genuine = { jti: 'a', htm: 'GET', htu: 'https://a/b', iat: 1, ath: 'x' }
  fc.assert(
    fc.property(hostileTexts(genuine, 1000), fc.string(), (json, rest) => {
      const parsed = parseCompact(`${HEAD}.${encode(json)}.AA`, MAX)
      if (parsed && JSON.stringify(parsed.payload) !== JSON.stringify(JSON.parse(json))) return false
      parseCompact(rest, MAX)
      return true
    }),
  )
  // What JSON makes of an object has each name once, so it is read.
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (content) => {
      const text = `${HEAD}.${encode(JSON.stringify(content))}.AA`
      return text.length > MAX || parseCompact(text, MAX) !== null
    }),
  )
})
