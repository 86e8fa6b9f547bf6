import t from 'tap'
import {
  claimsOrNull,
  list,
  number,
  numberOrNull,
  text,
  textOrNull,
} from '../../../../plugins/lib/stores/narrow.js'

t.test('what an engine gives back is taken for what it is', async (t) => {
  t.equal(text(''), '')
  t.equal(textOrNull(null), null)
  t.equal(number(0), 0)
  t.equal(numberOrNull(null), null)
  t.equal(numberOrNull(1), 1)
  t.strictSame(list([1]), [1])
  t.equal(claimsOrNull(null), null)
  t.strictSame(claimsOrNull({ a: 1 }), { a: 1 })
})

t.test('and for nothing else', async (t) => {
  for (const value of [undefined, 1, {}]) {
    t.throws(() => text(value), TypeError)
    t.throws(() => textOrNull(value), TypeError)
    t.throws(() => list(value), TypeError)
  }
  for (const value of [undefined, '1', Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => number(value), TypeError)
    t.throws(() => numberOrNull(value), TypeError)
  }
  for (const value of [undefined, 'x', 1, []]) t.throws(() => claimsOrNull(value), TypeError)
})
