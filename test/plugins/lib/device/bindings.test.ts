import fc from 'fast-check'
import t from 'tap'
import { Bindings } from '../../../../plugins/lib/device/bindings.js'
import { macOf } from '../../../../plugins/lib/device/mac.js'
import { nameOfRef } from '../../../../plugins/lib/device/ref.js'
import { alteredTexts, keysOf, NEXT, OTHERS, publicKey, REF, SECRET } from '../../../helpers/device.js'
import { hostilePayloads } from '../../../helpers/hostile.js'
import { signInRecord } from '../../../store-contract.js'

const keys = keysOf('device-binding')
const bindings = new Bindings(keys)
const recordWith = (binding: string | null, fields = {}) =>
  signInRecord({ mode: REF.mode, binding, ...fields })
const kindOf = (binding: string | null, fields = {}) =>
  bindings.read('cookie', recordWith(binding, fields)).kind

for (const algorithm of ['ES256', 'RS256'] as const) {
  t.test(`${algorithm}: a key is read back from the record that it was written to`, async (t) => {
    const key = publicKey(algorithm)
    const text = bindings.toDevice(REF, key)
    const read = bindings.read('cookie', recordWith(text))
    t.match(read, { kind: 'device', isStale: false, key: { alg: algorithm, thumbprint: key.thumbprint } })
    for (const { mode, accountId, signInId: id } of OTHERS) {
      t.equal(kindOf(text, { mode, accountId, id }), 'unknown', 'moved to another record')
    }
    t.equal(bindings.read('session', recordWith(text)).kind, 'unknown')
  })
}

t.test('of two that bind to one device, each knows its own text', async (t) => {
  const key = publicKey()
  t.not(bindings.toDevice(REF, key), bindings.toDevice(REF, key))
})

t.test(
  'a record is open until it says what it is bound to; one without a binding is unreadable',
  async (t) => {
    t.equal(kindOf(bindings.toBeSettled(REF)), 'open')
    for (const { mode, accountId, signInId: id } of OTHERS)
      t.equal(kindOf(bindings.toBeSettled(REF), { mode, accountId, id }), 'unknown', 'of another sign-in')
    t.equal(kindOf(null), 'unknown')
    t.equal(bindings.read('cookie', signInRecord()).kind, 'unknown')
    t.strictSame(bindings.read('cookie', recordWith(bindings.toNothing(REF))), {
      kind: 'none',
      isStale: false,
    })
  },
)

t.test('nobody without the key writes a binding, not even to nothing', async () => {
  const genuine = [bindings.toNothing(REF), bindings.toDevice(REF, publicKey())]
  const texts = fc.oneof(fc.constantFrom('none', '', 'd1', 'dpop:x'), ...genuine.map(alteredTexts))
  fc.assert(
    fc.property(texts, (text) => genuine.includes(text) || kindOf(text) === 'unknown'),
    { numRuns: 1000 },
  )
})

t.test('a binding with a genuine MAC holds a usable key, or is unknown', async (t) => {
  const { id, key } = keys.signing
  const { jwk } = publicKey()
  const signed = (payload: string) =>
    ['d1', id, payload, 'AAAAAAAA', macOf(key, 'd1', ...nameOfRef(REF), payload, 'AAAAAAAA')].join('.')
  fc.assert(
    fc.property(hostilePayloads(jwk), (payload) => {
      const read = bindings.read('cookie', recordWith(signed(payload)))
      return read.kind === 'unknown' || (read.kind === 'device' && read.key.alg === 'ES256')
    }),
    { numRuns: 300 },
  )
  t.equal(kindOf(signed('none')), 'none')
})

t.test('a binding outlives its secret if it is renewed', async (t) => {
  const rotated = new Bindings(keysOf('device-binding', NEXT, SECRET))
  const after = new Bindings(keysOf('device-binding', NEXT))
  for (const old of [bindings.toNothing(REF), bindings.toDevice(REF, publicKey())]) {
    t.equal(after.read('cookie', recordWith(old)).kind, 'unknown', 'the secret has left the ring')
    const read = rotated.read('cookie', recordWith(old))
    t.match(read, { isStale: true })
    const renewed = rotated.renewed(REF, read)
    t.match(after.read('cookie', recordWith(renewed)), { kind: read.kind, isStale: false })
  }
  t.equal(bindings.renewed(REF, { kind: 'open' }), null)
})
