import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { isUnderSigningKey, seal, unseal } from '../../../../plugins/lib/session/seal.js'

const A = 'a-secret-that-is-long-enough-for-tests'
const B = 'another-secret-that-is-long-enough-too'
const keysOf = (...secrets: string[]) => createKeyRing(secrets).purpose('session-data')

t.test('what was sealed opens for the record it was sealed for, and for no other', async (t) => {
  const sealed = seal(keysOf(A), 'record', 'téxt')
  t.match(sealed, /^v1\.[\w-]{8}\.[\w-]+$/)
  t.equal(unseal(keysOf(A), 'record', sealed), 'téxt')
  t.equal(unseal(keysOf(A), 'another', sealed), null)
  t.equal(unseal(keysOf(A), 'record', seal(keysOf(A), 'record', '')), '')
})

t.test('no two seals are alike', async (t) => {
  t.equal(new Set(Array.from({ length: 100 }, () => seal(keysOf(A), 'record', 'text'))).size, 100)
})

t.test('a sealed text keeps opening after this code has changed', async (t) => {
  const sealed = 'v1.uUhf_PVs.knuR3Cge4oNqxyHWpYBJQhhZeeBWZpyxUQgLOvj5FwubCA'
  t.equal(unseal(keysOf(A), 'record', sealed), 'pinned')
})

t.test('no single changed character goes unnoticed', async (t) => {
  // Eleven bytes fill their base64url: no bits are left over that would have a second spelling.
  const sealed = seal(keysOf(A), 'record', 'eleven text')
  for (const at of [...sealed].keys()) {
    const other = sealed[at] === 'B' ? 'C' : 'B'
    t.equal(unseal(keysOf(A), 'record', sealed.slice(0, at) + other + sealed.slice(at + 1)), null, `at ${at}`)
  }
  for (let length = 0; length < sealed.length; length++) {
    t.equal(unseal(keysOf(A), 'record', sealed.slice(0, length)), null, `the first ${length}`)
  }
})

t.test('every key of the ring opens, the first one seals, and an unknown one is refused', async (t) => {
  const old = seal(keysOf(A), 'record', 'text')
  t.equal(unseal(keysOf(B, A), 'record', old), 'text')
  t.equal(unseal(keysOf(B), 'record', old), null)
  t.equal(isUnderSigningKey(keysOf(A, B), old), true)
  t.equal(isUnderSigningKey(keysOf(B, A), old), false)
})
