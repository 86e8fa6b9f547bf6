import fc from 'fast-check'
import t from 'tap'
import { signValue } from '../../../../plugins/lib/credentials/signed-value.js'
import { DeviceCodes } from '../../../../plugins/lib/device/codes.js'
import { contentOfRef } from '../../../../plugins/lib/device/ref.js'
import { START } from '../../../helpers/clock.js'
import { alteredTexts, keysOf, NEXT, REF, SECRET } from '../../../helpers/device.js'
import { hostilePayloads } from '../../../helpers/hostile.js'

const keys = keysOf('device-code')
const codes = new DeviceCodes(keys)

t.test('a code is good for 60 seconds, for the sign-in that it names', async (t) => {
  const code = codes.registration(REF, START)
  t.strictSame(codes.readRegistration(code, START), REF)
  t.strictSame(codes.readRegistration(code, START + 59_999), REF)
  t.equal(codes.readRegistration(code, START + 60_000), null)
  t.strictSame(codes.readRegistration(code, START - 60_000), REF, 'by an instance whose clock is ahead')
  t.equal(codes.readRegistration(code, START - 60_001), null)
  t.equal(codes.readRegistration(code, Number.NaN), null)
  t.equal(codes.readRegistration(undefined, START), null)
  t.equal(codes.readRegistration([code], START), null, 'a list of one is no text')
})

t.test('an identifier is always the same, and no code', async (t) => {
  const text = codes.identifier(REF)
  t.equal(codes.identifier(REF), text)
  t.strictSame(codes.readIdentifier(text), { text, ref: REF, isGenuine: true })
  t.equal(codes.readRegistration(text, START), null)
  t.equal(codes.readIdentifier(codes.registration(REF, START)), null)
})

t.test('an identifier outlives its secret, marked: a record must decide', async (t) => {
  const text = codes.identifier(REF)
  const rotated = new DeviceCodes(keysOf('device-code', NEXT, SECRET))
  t.equal(rotated.readIdentifier(text)?.isGenuine, true)
  const after = new DeviceCodes(keysOf('device-code', NEXT))
  t.strictSame(after.readIdentifier(text), { text, ref: REF, isGenuine: false })
  t.equal(after.readRegistration(codes.registration(REF, START), START), null, 'a code does not')
  t.equal(after.readIdentifier('x'.repeat(4000)), null)
})

t.test('nobody makes one up under a key of the ring', async () => {
  const genuine = [codes.identifier(REF), codes.registration(REF, START)]
  fc.assert(
    fc.property(fc.oneof(...genuine.map(alteredTexts)), (text) => {
      const read = codes.readIdentifier(text)
      return genuine.includes(text) || (codes.readRegistration(text, START) === null && !read?.isGenuine)
    }),
    { numRuns: 1000 },
  )
})

t.test('a code with a genuine MAC has the right form, or is refused', async () => {
  const content = { k: 'r', iat: START / 1000, ...contentOfRef(REF) }
  fc.assert(
    fc.property(hostilePayloads(content), hostilePayloads({ ...content, k: 'i' }), (code, identifier) => {
      const refs = [
        codes.readRegistration(signValue(keys, code), START),
        codes.readIdentifier(signValue(keys, identifier))?.ref ?? null,
      ]
      return refs.every((ref) => ref === null || (ref.accountId !== '' && Number.isSafeInteger(ref.epoch)))
    }),
    { numRuns: 500 },
  )
})
