import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import t from 'tap'
import type { TokenKeys } from '../../../../plugins/lib/token/codecs.js'
import { thumbprint } from '../../../../plugins/lib/token/jwks.js'
import { checkSigningKeys, combineTokenKeys } from '../../../../plugins/lib/token/signing-keys.js'
import { ALGORITHMS, keyPair, pemOf } from '../../../helpers/signing-key.js'

const check = (inputs: unknown) => checkSigningKeys(inputs, (fault) => new Error(fault))
const SHARED: TokenKeys = [
  { id: 'shared-1', algorithm: 'HS256', secret: Buffer.alloc(32, 1) },
  { id: 'shared-2', algorithm: 'HS256', secret: Buffer.alloc(32, 2) },
]
const combine = (inputs: unknown) => combineTokenKeys(check(inputs), SHARED)
const ed = keyPair('EdDSA')
const ec = keyPair('ES256')
const rsa = keyPair('RS256')
const id = ({ publicKey }: { publicKey: KeyObject }) => thumbprint(publicKey)

for (const algorithm of ALGORITHMS) {
  t.test(`keys for ${algorithm} are taken as PEMs and as keys`, async (t) => {
    const pair = keyPair(algorithm)
    for (const input of [pair.privatePem, pair.privateKey]) {
      const [first, ...others] = combine([input])
      t.match(first, { id: id(pair), algorithm })
      t.notOk(first.secret instanceof Buffer)
      t.strictSame(others, [], 'the shared secrets verify nothing')
    }
  })
}

t.test('older forms of private keys are read too', async (t) => {
  const sec1 = ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString()
  const pkcs1 = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const publicPkcs1 = keyPair('RS256').publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  t.match(
    combine([sec1, pkcs1, publicPkcs1]).map(({ algorithm }) => algorithm),
    ['ES256', 'RS256', 'RS256'],
  )
})

t.test('kinds may be mixed; the first signs, and an id does not depend on its place', async (t) => {
  const ids = (inputs: unknown) => combine(inputs).map(({ id }) => id)
  t.strictSame(ids([ed.privatePem, ec.privatePem, rsa.publicPem]), [id(ed), id(ec), id(rsa)])
  t.strictSame(ids([ec.privatePem + ed.privatePem]), [id(ec), id(ed)], 'in one text')
})

t.test('shared in front lets the secrets sign, and the keys verify', async (t) => {
  const keys = combine(['shared', ed.publicPem, ec.privatePem])
  t.strictSame(
    keys.map(({ id }) => id),
    ['shared-1', 'shared-2', id(ed), id(ec)],
  )
})

t.test('shared at the end lets a key sign, and the secrets verify', async (t) => {
  const keys = combine([ed.privatePem, ec.publicPem, 'shared'])
  t.strictSame(
    keys.map(({ id }) => id),
    [id(ed), id(ec), 'shared-1', 'shared-2'],
  )
})

t.test('without keys the shared secrets remain as they are', async (t) => {
  t.equal(combineTokenKeys([], SHARED), SHARED)
})

t.test('what cannot sign tokens is refused, and nothing of it is quoted', async (t) => {
  const generated = (key: { privateKey: KeyObject }) => pemOf(key.privateKey)
  const encrypted = { cipher: 'aes-256-cbc', passphrase: 'a passphrase' }
  const pkcs1 = rsa.privateKey.export({ type: 'pkcs1', format: 'pem', ...encrypted }).toString()
  const broken = ed.privatePem.replace(/\n.{8}/, '\nAAAAAAAA')
  const rows: [what: string, inputs: unknown, fault: RegExp][] = [
    ['nothing', [], /at least one key/],
    ['no list', ed.privatePem, /at least one key/],
    ['shared alone', ['shared'], /at least one key/],
    ['shared between two keys', [ed.privatePem, 'shared', ec.publicPem], /^key number 2 is no PEM$/],
    ['shared twice', ['shared', ed.privatePem, 'shared'], /^key number 2 is no PEM$/],
    ['a word', ['a word'], /^key number 1 is no PEM$/],
    ['a number', [ed.privatePem, 7], /^key number 2 is no PEM$/],
    ['half a PEM', [ed.privatePem.slice(0, -20)], /^key number 1 is no PEM$/],
    ['a broken PEM', [broken], /^key number 1 cannot be read/],
    [
      'an empty PEM',
      ['-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----'],
      /^key number 1 cannot be read/,
    ],
    [
      'a certificate',
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
      /^key number 1 is neither/,
    ],
    [
      'an encrypted PEM',
      [pemOf(ed.privateKey), rsa.privateKey.export({ type: 'pkcs8', format: 'pem', ...encrypted })],
      /^key number 2 is encrypted/,
    ],
    ['an encrypted PEM of the older form', [pkcs1], /^key number 1 is encrypted/],
    ['RSA with 1024 bits', [generated(generateKeyPairSync('rsa', { modulusLength: 1024 }))], /1024 bits/],
    [
      'RSA with an exponent of 3',
      [generated(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }))],
      /exponent/,
    ],
    ['RSA for PSS', [generated(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }))], /rsa-pss/],
    ['P-384', [generated(generateKeyPairSync('ec', { namedCurve: 'P-384' }))], /another curve/],
    [
      'secp256k1',
      [ed.privatePem, generated(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))],
      /^key number 2 is on another curve/,
    ],
    ['X25519', [generated(generateKeyPairSync('x25519'))], /x25519/],
    ['Ed448', [generated(generateKeyPairSync('ed448'))], /ed448/],
    ['a shared secret', [createSecretKey(Buffer.alloc(32))], /shared secret/],
    ['a public key in front', [ed.publicPem, ec.privatePem], /first key signs/],
    ['a public key alone', [rsa.publicKey], /first key signs/],
    ['one key twice', [ed.privatePem, ec.privatePem, ed.privateKey], /twice/],
    ['both halves of one key', [ed.privatePem, ed.publicPem], /twice/],
  ]
  for (const [what, inputs, fault] of rows) {
    const given = Array.isArray(inputs)
      ? inputs.map((input) => (Buffer.isBuffer(input) ? String(input) : input))
      : inputs
    const error = t.throws(() => check(given), { message: fault }, what)
    const message = error instanceof Error ? error.message : ''
    t.notMatch(message, /[\w+/]{24}|BEGIN|passphrase\b.*a passphrase/, `${what}: quotes nothing`)
    t.notMatch(message, /[.!?](\s|$)/, `${what}: part of one sentence`)
  }
})

t.test('RSA may have up to 4096 bits', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 4096 })
  t.equal(combine([privateKey])[0].algorithm, 'RS256')
})

t.test('what was checked cannot be changed later', async (t) => {
  const inputs = [ed.privatePem]
  const keys = check(inputs)
  inputs.push(ec.privatePem)
  t.equal(keys.length, 1)
  t.ok(Object.isFrozen(keys))
})
