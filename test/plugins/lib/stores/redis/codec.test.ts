import fc from 'fast-check'
import t from 'tap'
import type { SessionRecord, SignInRecord } from '../../../../../plugins/lib/stores/contract.js'
import {
  decodeSession,
  decodeSignIn,
  encodeSession,
  encodeSignIn,
} from '../../../../../plugins/lib/stores/redis/codec.js'

const signIn: SignInRecord = {
  ...{
    id: 's-1',
    accountId: 'a-1',
    mode: 'token',
    epoch: 3,
    generation: 2 ** 47,
    createdAt: 1,
    lastSeenAt: 2,
  },
  ...{ idleExpiresAt: 3, absoluteExpiresAt: 2 ** 41, ip: '::1', userAgent: 'x\n,y', sessionKey: null },
  refresh: { counter: 35, keyId: 'a"\n', rotatedAt: 36 },
  claims: { team: 1 },
}
const session: SessionRecord = {
  version: 1,
  sealed: 'v1.a.b\n',
  idleExpiresAt: 2,
  absoluteExpiresAt: 2 ** 41,
}

/** Most of them one change away from a genuine text. */
function altered(text: string): fc.Arbitrary<string> {
  const at = fc.record({ from: fc.nat(text.length), length: fc.nat(12), put: fc.string({ maxLength: 4 }) })
  const changed = at.map(({ from, length, put }) => text.slice(0, from) + put + text.slice(from + length))
  return fc.oneof({ weight: 5, arbitrary: changed }, fc.string())
}

const numbersIn = (record: object): unknown[] =>
  Object.values(record).flatMap((value) =>
    typeof value === 'number' ? value : typeof value === 'object' && value ? numbersIn(value) : [],
  )

t.test('a stored sign-in that was altered is none, or one of whole numbers', async () => {
  const property = fc.property(altered(encodeSignIn({ ...signIn, claims: null })), (text) => {
    const record = decodeSignIn('a-1', 's-1', text)
    return record === null || numbersIn(record).every((number) => Number.isSafeInteger(number))
  })
  fc.assert(property, { numRuns: 2000 })
})

t.test('and so is a stored session', async () => {
  const property = fc.property(altered(encodeSession(session)), (text) => {
    const record = decodeSession(text)
    return record === null || numbersIn(record).every((number) => Number.isSafeInteger(number))
  })
  fc.assert(property, { numRuns: 2000 })
})

t.test('a number that this code did not write makes the record unreadable', async (t) => {
  const text = encodeSignIn(signIn)
  t.strictSame(decodeSignIn('a-1', 's-1', text), signIn)
  t.strictSame(decodeSession(encodeSession(session)), session)
  for (const digits of ['_', '1_', 'ZZ', '01', '1g1g1g1g1g1g1g']) {
    t.equal(decodeSignIn('a-1', 's-1', text.replace(/^3,/, `${digits},`)), null, digits)
    t.equal(decodeSignIn('a-1', 's-1', text.replace(',z,10,', `,${digits},10,`)), null, digits)
    t.equal(decodeSession(encodeSession(session).replace(/^1,/, `${digits},`)), null, digits)
  }
  for (const epoch of ['-1', '1.5', '1e400', '"3"', 'null']) {
    t.equal(decodeSignIn('a-1', 's-1', text.replace('"token",3', `"token",${epoch}`)), null, epoch)
  }
})
