import fc from 'fast-check'
import t from 'tap'
import type { FactorMethod, GivenFactor } from '../../../../plugins/lib/contract.js'
import {
  checkFactors,
  heldSince,
  isFactorsText,
  mergeFactors,
  readFactors,
  referencesOf,
  weightOf,
  writeFactors,
} from '../../../../plugins/lib/credentials/given-factors.js'

const NOW = 1_767_225_600_000
const METHODS: readonly FactorMethod[] = ['password', 'external', 'totp', 'recovery_code', 'passkey']
const factorsArbitrary = fc
  .array(
    fc.record({
      method: fc.constantFrom(...METHODS),
      at: fc.integer({ min: 0, max: 2_000_000_000 }).map((seconds) => seconds * 1000),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((given) => mergeFactors([], given))

t.test('a text comes back as the factors that it was made of, and no other text does', async (t) => {
  const property = fc.property(factorsArbitrary, fc.nat(2_000_000_000), (factors, authSeconds) => {
    const authTime = authSeconds * 1000
    const text = writeFactors(factors, authTime)
    t.strictSame(readFactors(text, authTime), factors)
    if (text !== undefined && !isFactorsText(text)) throw new Error(`refused: ${text}`)
  })
  fc.assert(property)
})

t.test('a text of anybody is refused, or the only one with its meaning', async (t) => {
  const piece = fc.oneof(fc.constantFrom('P', 'X', 'T', 'R', 'K', 'Z', 'p', '', '0', ' '), fc.string())
  const time = fc.oneof(
    fc.integer({ min: 0, max: 4e12 }).map((n) => n.toString(36)),
    fc.string({ maxLength: 3 }),
  )
  const texts = fc
    .array(
      fc.tuple(piece, time).map((pair) => pair.join('')),
      { maxLength: 6 },
    )
    .map((all) => all.join(''))
  const property = fc.property(texts, (text) => {
    const factors = readFactors(text, NOW)
    if (isFactorsText(text) && writeFactors(factors, -1) !== text) throw new Error(text)
    for (const { at } of factors) new Date(at).toISOString()
  })
  fc.assert(property, { numRuns: 1000 })
  const good = 'Pta2jpsTta2jpt'
  t.equal(isFactorsText(good), true)
  for (const text of [
    '',
    'P',
    'Pta2jpsPta2jpt',
    'Tta2jptPta2jps',
    'P0ta2jps',
    'PTA2JPS',
    'Zta2jps',
    `${good} `,
    7,
    null,
  ])
    t.equal(isFactorsText(text), false, String(text))
})

t.test('a password at the time of the sign-in has no text', async (t) => {
  const plain = [{ method: 'password', at: NOW }] as const
  t.equal(writeFactors(plain, NOW + 999), undefined)
  t.equal(writeFactors(undefined, NOW), undefined)
  t.strictSame(readFactors(undefined, NOW + 1), [{ method: 'password', at: NOW + 1 }])
  t.type(writeFactors(plain, NOW - 1), 'string')
  t.type(writeFactors([{ method: 'totp', at: NOW }], NOW), 'string')
  t.ok(Object.isFrozen(readFactors(undefined, NOW)) && Object.isFrozen(readFactors('Pta2jps', NOW)[0]))
})

t.test('each method is there once, with its newest time', async (t) => {
  const merged = mergeFactors(
    [
      { method: 'totp', at: 5 },
      { method: 'password', at: 1 },
    ],
    [
      { method: 'password', at: 9 },
      { method: 'totp', at: 2 },
    ],
  )
  t.strictSame(merged, [
    { method: 'password', at: 9 },
    { method: 'totp', at: 5 },
  ])
})

t.test('what an application gives is copied, checked and timed', async (t) => {
  const given: GivenFactor = { method: 'totp', at: NOW - 1500, ...{ secret: 'x' } }
  t.strictSame(checkFactors(['password', given], NOW + 400), [
    { method: 'password', at: NOW },
    { method: 'totp', at: NOW - 2000 },
  ])
  t.strictSame(
    checkFactors([{ method: 'totp', at: NOW + 300_000 }], NOW),
    [{ method: 'totp', at: NOW }],
    'a clock ahead',
  )
  const bad = [
    null,
    {},
    'totp',
    [],
    ['sms'],
    ['constructor'],
    [undefined],
    [{ method: 'totp', at: NOW + 300_001 }],
  ]
  for (const factors of [
    ...bad,
    [{ at: 1 }],
    [{ method: 'totp', at: '1' }],
    [{ method: 'totp', at: Infinity }],
  ])
    t.throws(() => checkFactors(factors as never, NOW), { code: 'OPTION_INVALID' }, JSON.stringify(factors))
})

t.test('factors are held since the oldest that is needed', async (t) => {
  const factors = [
    { method: 'password', at: 9 },
    { method: 'totp', at: 5 },
  ] as const
  t.equal(heldSince(factors, 1), 9)
  t.equal(heldSince(factors, 2), 5)
  t.equal(heldSince(factors, 3), null)
  t.equal(heldSince([], 1), null)
  t.equal(heldSince([{ method: 'passkey', at: 3 }], 2), 3)
  t.strictSame([weightOf(factors), weightOf([{ method: 'passkey', at: 3 }]), weightOf([])], [2, 2, 0])
})

t.test('amr has the names of RFC 8176', async (t) => {
  const of = (...methods: FactorMethod[]) => referencesOf(methods.map((method) => ({ method, at: 1 })))
  const acr = 'urn:fastify-identity:factors:2'
  t.strictSame(of('password'), { amr: ['pwd'] })
  t.strictSame(of('external'), {})
  t.strictSame(of('totp'), { amr: ['otp'] })
  t.strictSame(of('password', 'totp'), { amr: ['pwd', 'otp', 'mfa'], acr })
  t.strictSame(of('password', 'totp', 'recovery_code'), { amr: ['pwd', 'otp', 'mfa'], acr })
  t.strictSame(of('passkey'), { amr: ['pop', 'user', 'mfa'], acr })
})
