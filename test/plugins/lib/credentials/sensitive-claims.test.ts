import { runInNewContext } from 'node:vm'
import t from 'tap'
import { checkClaims } from '../../../../plugins/lib/credentials/sensitive-claims.js'

const SENSITIVE = { code: 'CLAIM_SENSITIVE', statusCode: 500 }
const INVALID = { code: 'CLAIM_INVALID', statusCode: 500 }

t.test('JSON of every kind is carried', async (t) => {
  const claims = {
    text: 'Zoë 😀 \ud800',
    empty: '',
    number: -1.5e-7,
    zero: 0,
    yes: true,
    no: false,
    nothing: null,
    list: [1, 'two', [null, { three: 3 }]],
    object: { a: { b: { c: {} } } },
    '': 'no name',
    constructor: 'x',
    toString: 'y',
  }
  const carried = checkClaims(claims)
  t.strictSame(carried, claims)
  t.strictSame(JSON.parse(JSON.stringify(carried)), claims)
})

t.test('no claims are an empty, frozen object', async (t) => {
  for (const claims of [undefined, null, {}, Object.create(null)]) {
    t.strictSame(checkClaims(claims), {})
    t.ok(Object.isFrozen(checkClaims(claims)))
  }
})

t.test('what is carried is a copy, frozen at every depth', async (t) => {
  const claims = { tenant: 't1', list: [{ a: 1 }], deep: { er: { still: [1] } } }
  const carried = checkClaims(claims)
  claims.tenant = 't2'
  claims.list[0] = { a: 2 }
  claims.deep.er.still.push(2)
  t.strictSame(carried, { tenant: 't1', list: [{ a: 1 }], deep: { er: { still: [1] } } })
  JSON.stringify(carried, (key, value) => {
    if (typeof value === 'object') t.ok(Object.isFrozen(value), `${key || 'the claims'} is frozen`)
    return value
  })
  t.notOk(Object.isFrozen(claims.deep), 'the application’s own object is left alone')
})

t.test('the name of a secret is refused, however it is written', async (t) => {
  const names = [
    'password',
    'passwd',
    'pwd',
    'passphrase',
    'password_hash',
    'hash',
    'salt',
    'pin',
    'otp',
    'totp',
  ]
  names.push(
    'mfa_secret',
    'recovery_codes',
    'security_answer',
    'secret',
    'client_secret',
    'api_key',
    'private_key',
  )
  names.push(
    'token',
    'access_token',
    'refresh_token',
    'card',
    'card_number',
    'credit_card',
    'cvv',
    'cvc',
    'iban',
  )
  names.push(
    'account_number',
    'bank_account',
    'ssn',
    'social_security_number',
    'id_number',
    'id_card',
    'national_id',
  )
  names.push(
    'passport',
    'passport_number',
    'drivers_license',
    'tax_id',
    'phone',
    'phone_number',
    'mobile',
    'address',
  )
  names.push('home_address', 'birth_date', 'date_of_birth', 'dob', 'billing_address', 'one_time_password')
  const camel = (name: string) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
  for (const name of names) {
    const spellings = [name, name.toUpperCase(), camel(name), name.replaceAll('_', '-')]
    spellings.push(name.replaceAll('_', ' '), name.replaceAll('_', '.'), `_${name}`, ` ${name} `, `${name}\n`)
    for (const spelling of spellings) {
      t.throws(() => checkClaims({ [spelling]: 'x' }), SENSITIVE, JSON.stringify(spelling))
    }
  }
})

t.test('only whole words count', async (t) => {
  const names = [
    'password_changed_at',
    'has_password',
    'phone_verified',
    'token_version',
    'secretary',
    'pinned',
  ]
  names.push(
    'hashtag',
    'addressee',
    'cardinality',
    'cards',
    'passing',
    'mobile_app',
    'tenant',
    'plan',
    'locale',
    'email',
  )
  names.push('scope', 'permissions', 'department', 'display_name', 'card_last4')
  for (const name of names) t.strictSame(checkClaims({ [name]: 1 }), { [name]: 1 }, name)
})

t.test('values may say what names may not', async (t) => {
  t.strictSame(checkClaims({ must_change: 'password', list: ['phone'] }), {
    must_change: 'password',
    list: ['phone'],
  })
})

t.test('the name of a secret is refused at every depth, and its value is not quoted', async (t) => {
  const secret = { card_number: '4111111111111111' }
  for (const claims of [
    secret,
    { a: secret },
    { a: [secret] },
    { a: [1, [{ b: secret }]] },
    { a: { b: { c: secret } } },
  ]) {
    const error = t.throws(() => checkClaims(claims), SENSITIVE, JSON.stringify(claims))
    t.match(String(error), 'card_number')
    t.notMatch(String(error), '4111')
  }
  t.throws(() => checkClaims({ password: undefined }), SENSITIVE, 'even without a value')
})

t.test('what is no JSON is refused by the name it stands under', async (t) => {
  class Person {
    name = 'Zoë'
  }
  const values: Record<string, unknown> = {
    undefined: undefined,
    'a function': () => 'x',
    'a symbol': Symbol('x'),
    'a bigint': 1n,
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    '-Infinity': Number.NEGATIVE_INFINITY,
    'a date': new Date(0),
    'an invalid date': new Date(Number.NaN),
    'a map': new Map([['a', 1]]),
    'a set': new Set([1]),
    'a regular expression': /x/,
    'an error': new Error('x'),
    'a promise': Promise.resolve(1),
    'a buffer': Buffer.from('x'),
    'an instance of a class': new Person(),
    'a boxed string': new String('x'),
    'an object with toJSON': { toJSON: () => 'x' },
    'a hole': new Array(2),
  }
  for (const [what, value] of Object.entries(values)) {
    const expected = { ...INVALID, message: /^The claim (bad|toJSON) cannot be carried: it is not JSON\.$/ }
    t.throws(() => checkClaims({ bad: value }), expected, what)
    t.throws(() => checkClaims({ outer: [{ bad: value }] }), expected, `${what}, inside`)
  }
})

t.test('claims that are no object are refused', async (t) => {
  for (const claims of [
    'admin',
    '',
    0,
    1,
    true,
    false,
    [],
    [['a', 1]],
    () => ({}),
    new Map([['a', 1]]),
    new Date(0),
    1n,
    Symbol('x'),
  ]) {
    t.throws(() => checkClaims(claims), { ...INVALID, message: /claims/ }, String(claims))
  }
})

t.test('what contains itself is refused, and nothing hangs', async (t) => {
  const object: Record<string, unknown> = { a: 1 }
  object.self = object
  const list: unknown[] = []
  list.push(...Array.from({ length: 1000 }, () => list))
  const pair: Record<string, unknown> = { other: { pair: null } }
  pair.other = { pair }
  for (const claims of [object, { list }, pair]) t.throws(() => checkClaims(claims), INVALID)
})

t.test('what is there a thousand times over is refused, and nothing hangs', async (t) => {
  let dag: unknown[] = [1]
  for (let depth = 0; depth < 7; depth += 1) dag = Array.from({ length: 500 }, () => dag)
  t.throws(() => checkClaims({ dag }), INVALID)
  t.throws(() => checkClaims({ list: new Array(2 ** 32 - 1) }), INVALID)
  t.throws(() => checkClaims({ list: Array.from({ length: 1001 }, () => 1) }), INVALID)
  const shared = { a: 1 }
  t.strictSame(checkClaims({ one: shared, two: shared }), { one: { a: 1 }, two: { a: 1 } }, 'twice is fine')
})

t.test('eight levels are carried, nine are not', async (t) => {
  const nest = (levels: number): unknown => (levels === 0 ? 1 : { a: nest(levels - 1) })
  t.strictSame(checkClaims(nest(8)), nest(8))
  t.throws(() => checkClaims(nest(9)), INVALID)
  t.throws(() => checkClaims(nest(5000)), INVALID)
})

t.test('__proto__ is no claim: merging it would set a prototype', async (t) => {
  for (const text of [
    '{"__proto__":{"admin":true}}',
    '{"a":{"__proto__":1}}',
    '{"a":[{"__proto__":null}]}',
  ]) {
    t.throws(() => checkClaims(JSON.parse(text)), { ...INVALID, message: /__proto__/ }, text)
  }
  t.notOk('admin' in {}, 'nothing was polluted')
  const inherited = Object.assign(Object.create({ inherited: 1 }), { own: 1 })
  t.throws(() => checkClaims({ inherited }), INVALID, 'what is inherited would be lost')
})

t.test('plain objects of another realm, and without a prototype, are plain', async (t) => {
  t.strictSame(checkClaims(runInNewContext('({ a: [{ b: 1 }] })')), { a: [{ b: 1 }] })
  t.strictSame(checkClaims(Object.assign(Object.create(null), { a: 1 })), { a: 1 })
})

t.test('fields that JSON does not see are not carried', async (t) => {
  const claims = { a: 1, [Symbol('password')]: 'x' }
  Object.defineProperty(claims, 'hidden', { value: 1, enumerable: false })
  t.same(Reflect.ownKeys(checkClaims(claims)), ['a'])
})
