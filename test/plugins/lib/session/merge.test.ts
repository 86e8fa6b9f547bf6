import t from 'tap'
import {
  applyChanges,
  changesBetween,
  checkData,
  dataOf,
  snapshotOf,
} from '../../../../plugins/lib/session/merge.js'

const change = (before: object, after: object) => changesBetween(snapshotOf(before), snapshotOf(after))

t.test('a change is what was set or deleted, by top-level key', async (t) => {
  t.strictSame(
    [...change({ same: { a: 1 }, changed: [1], gone: 1 }, { same: { a: 1 }, changed: [1, 2], added: null })],
    [
      ['changed', '[1,2]'],
      ['added', 'null'],
      ['gone', null],
    ],
  )
  t.equal(change({ a: 1 }, { a: 1, none: undefined }).size, 0)
})

t.test('changes of different keys add up, in any order; of one key the last wins', async (t) => {
  const base = { a: 1, b: 1 }
  const first = change(base, { a: 2, b: 1, c: 1 })
  const second = change(base, { a: 1 })
  const merged = { a: 2, c: 1 }
  t.strictSame(applyChanges(applyChanges(base, first), second), merged)
  t.strictSame(applyChanges(applyChanges(base, second), first), merged)
  t.strictSame(applyChanges({ a: 9 }, first), { a: 2, c: 1 })
  t.strictSame(base, { a: 1, b: 1 }, 'nothing is changed in place')
})

t.test('a copy shares nothing with what it is of', async (t) => {
  const data = { cart: ['pear'] }
  const copy = dataOf(snapshotOf(data))
  t.strictSame(copy, data)
  t.not(copy.cart, data.cart)
})

t.test('a key __proto__ stays a key', async (t) => {
  const evil = JSON.parse('{"__proto__":{"polluted":1}}')
  for (const made of [
    applyChanges({}, change({}, evil)),
    dataOf(snapshotOf(evil)),
    applyChanges(evil, new Map()),
  ]) {
    t.equal(Object.getPrototypeOf(made), Object.prototype)
    t.equal(Reflect.get(made, 'polluted'), undefined)
  }
})

t.test('what is no JSON is refused by name', async (t) => {
  const code = 'SESSION_DATA_INVALID'
  t.throws(() => checkData({ ok: 1, big: 1n }), { code, message: /hold big: it is not JSON: .*bigint/ })
  t.throws(() => checkData({ seen: new Set() }), { code, message: /hold seen: it is not JSON: .*Set/ })
  checkData({ ok: { list: [1, null, 'a', true] }, none: undefined })
})
