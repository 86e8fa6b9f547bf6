import { runInNewContext } from 'node:vm'
import t from 'tap'
import { isNestedTooDeep, jsonFault } from '../../../../plugins/lib/session/json-fault.js'

const nested = (depth: number) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)

t.test('what JSON gives back as it was is no fault', async (t) => {
  const values = [null, true, 0, -1.5, '', '\ud800', [], {}, [[1], { a: null }], Object.create(null)]
  for (const value of [...values, runInNewContext('({ a: [1] })'), nested(1000)]) {
    t.equal(jsonFault(value), null)
    t.same(JSON.parse(JSON.stringify(value)), value)
  }
  const twice = { a: 1 }
  t.equal(jsonFault([twice, twice]), null)
  t.equal(jsonFault({ none: undefined }), null, 'as if it were not there')
})

t.test('what says itself how it is written is no fault', async (t) => {
  for (const value of [new Date(0), new URL('https://example.com'), Buffer.from('a')]) {
    t.equal(jsonFault({ value }), null)
  }
  const itself = { a: 1, toJSON: () => itself }
  t.equal(jsonFault(itself), null)
  t.match(jsonFault({ toJSON: () => new Map() }), /Map/)
  t.match(jsonFault({ toJSON: () => undefined }), /not JSON/)
  t.match(jsonFault(new Date(Number.NaN)), /not JSON/)
})

class Cart {
  items = []
}

const LOST: [string, unknown][] = [
  ['Map', new Map([['a', 1]])],
  ['Set', new Set([1])],
  ['WeakMap', new WeakMap()],
  ['RegExp', /a/],
  ['Error', new Error('a')],
  ['Promise', Promise.resolve()],
  ['Uint8Array', new Uint8Array(2)],
  ['ArrayBuffer', new ArrayBuffer(2)],
  ['Number', Object(1)],
  ['Cart', new Cart()],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['bigint', 1n],
  ['symbol', Symbol('a')],
  ['function', () => 1],
  ['undefined', [undefined]],
  ['undefined', new Array(1)],
]

t.test('what JSON changes without a word is a fault that names it, at any depth', async (t) => {
  for (const [name, value] of LOST) {
    for (const held of [value, [value], { a: { b: [1, value] } }]) {
      t.match(jsonFault(held), new RegExp(`not JSON: .*${name}$`), name)
    }
  }
})

t.test('what is nested in itself, or too deep, is a fault and no exhausted stack', async (t) => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  for (const value of [cycle, nested(1002), nested(50_000)]) t.match(jsonFault(value), /nested too deep/)
  t.equal(isNestedTooDeep({ data: { a: nested(1000) } }), false, 'all that may be stored may be read')
  t.equal(isNestedTooDeep({ data: { a: nested(50_000) } }), true)
})
