import t from 'tap'
import { Newest } from '../../../plugins/lib/newest.js'

t.test('the names that were noted last are known, up to a bound', async (t) => {
  const newest = new Newest<string, true>(2)
  for (const key of ['a', 'b', 'b', 'c']) newest.set(key, true)
  t.same(
    ['a', 'b', 'c'].map((key) => newest.has(key)),
    [false, true, true],
  )
})

t.test('a name that is set again is the newest, and a deleted one makes room', async (t) => {
  const newest = new Newest<string, number>(3)
  t.equal(newest.get('a'), undefined)
  for (const [index, name] of ['a', 'b', 'c'].entries()) newest.set(name, index + 1)
  newest.set('a', 10)
  newest.set('d', 4)
  t.strictSame(
    ['a', 'b', 'c', 'd'].map((name) => newest.get(name)),
    [10, undefined, 3, 4],
  )
  newest.delete('a')
  newest.set('e', 5)
  t.strictSame(
    ['a', 'c', 'd', 'e'].map((name) => newest.get(name)),
    [undefined, 3, 4, 5],
  )
})
