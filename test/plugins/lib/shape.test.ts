import t from 'tap'
import { Type } from '../../../plugins/lib/shape.js'

const text = Type.String({ minLength: 1, maxLength: 3, pattern: '^[a-z]+$' })
const whole = Type.Integer({ minimum: 0, maximum: 9 })
const person = Type.Object(
  { v: Type.Literal(1), name: text, age: Type.Optional(whole), known: Type.Boolean },
  { additionalProperties: false },
)

t.test('a text has its length and its form', async (t) => {
  for (const value of ['a', 'abc']) t.ok(text(value), value)
  for (const value of ['', 'abcd', 'A', 1, null, undefined, ['a'], new String('a')]) t.notOk(text(value))
})

t.test('a whole number lies within its limits', async (t) => {
  for (const value of [0, 9]) t.ok(whole(value))
  for (const value of [-1, 10, 0.5, Number.NaN, Infinity, '1', 1n, null]) t.notOk(whole(value))
})

t.test('an object has the fields that it must have, those that it may have, and no other', async (t) => {
  const good = { v: 1, name: 'a', known: true }
  for (const value of [good, { ...good, age: 1 }]) t.ok(person(value))
  const bad = [
    {},
    null,
    [],
    'text',
    { ...good, v: 2 },
    { ...good, age: 10 },
    { ...good, age: null },
    { ...good, more: 1 },
    { v: 1, name: 'a' },
    JSON.parse('{ "v": 1, "name": "a", "known": true, "__proto__": {} }'),
    JSON.parse('{ "v": 1, "name": "a", "known": true, "constructor": 1 }'),
  ]
  for (const value of bad) t.notOk(person(value), JSON.stringify(value))
  t.ok(Type.Object({ v: Type.Literal(1) })({ v: 1, more: 2 }), 'others may be there unless that is refused')
})

t.test('either of two, a list, and an object with any names', async (t) => {
  const either = Type.Union([Type.Null, whole])
  for (const value of [null, 3]) t.ok(either(value))
  for (const value of [undefined, '3', {}]) t.notOk(either(value))
  const list = Type.Array(whole)
  for (const value of [[], [1, 2]]) t.ok(list(value))
  for (const value of [[1, 'a'], { length: 0 }, null]) t.notOk(list(value))
  const record = Type.Record(Type.Unknown)
  for (const value of [{}, { a: 1 }]) t.ok(record(value))
  for (const value of [[], null, 'a']) t.notOk(record(value))
  t.notOk(Type.Record(whole)({ a: 'b' }))
})
