import fc from 'fast-check'
import t from 'tap'
import { signValue } from '../../../../plugins/lib/credentials/signed-value.js'
import { openProof, ProofSlot, proofFor, sealProof } from '../../../../plugins/lib/device/proof.js'
import { START } from '../../../helpers/clock.js'
import { alteredTexts, keysOf, OTHERS, REF } from '../../../helpers/device.js'
import { hostilePayloads } from '../../../helpers/hostile.js'

const keys = keysOf('device-proof')
const END = START / 1000 + 1200

t.test('a proof ends 20 minutes after its challenge was issued', async (t) => {
  const content = { v: 1, mode: 'cookie', sid: 'sign-in-1', exp: END }
  t.strictSame(proofFor(REF, { kind: 'p', issuedAt: START }), content)
  t.strictSame(proofFor(REF, { kind: 'r', issuedAt: START }), content)
  t.strictSame(proofFor(REF, { kind: 'f', issuedAt: START + 999 }), { ...content, at: START / 1000 })
})

t.test('a proof is for one sign-in', async (t) => {
  const content = proofFor(REF, { kind: 'p', issuedAt: START })
  const text = sealProof(keys, content)
  t.strictSame(openProof(keys, text, REF), content)
  const [, mode, sid] = [null, ...OTHERS.filter(({ accountId }) => accountId === REF.accountId)]
  for (const other of [mode, sid]) if (other) t.equal(openProof(keys, text, other), null)
  t.equal(openProof(keysOf('device-code'), text, REF), null)
})

t.test('nobody makes a proof up, and none of another form is accepted', async () => {
  const content = proofFor(REF, { kind: 'f', issuedAt: START })
  const genuine = sealProof(keys, content)
  const signed = hostilePayloads(content).map((payload) => signValue(keys, payload))
  const open = (text: string) => openProof(keys, text, REF)
  fc.assert(
    fc.property(alteredTexts(genuine), (text) => open(text) === null),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(signed, (text) => {
      const read = open(text)
      return read === null || (Number.isInteger(read.exp) && read.sid === REF.signInId)
    }),
    { numRuns: 500 },
  )
})

t.test('a slot keeps the proof that was seen last', async (t) => {
  const slot = new ProofSlot()
  t.match(slot, { text: '', until: 0 })
  slot.keep('a', { v: 1, mode: 'cookie', sid: 's', exp: END, at: END - 1 })
  t.match(slot, { text: 'a', until: END * 1000, freshAt: (END - 1) * 1000 })
  slot.keep('b', { v: 1, mode: 'cookie', sid: 's', exp: END + 1 })
  t.match(slot, { text: 'b', until: END * 1000 + 1000, freshAt: Number.NEGATIVE_INFINITY })
})
