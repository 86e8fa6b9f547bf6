import t from 'tap'
import { RecentlyStored } from '../../../../plugins/lib/throttle/recently-stored.js'

t.test('what was noted last is recalled, nothing is 0, and the oldest give way', async (t) => {
  const recent = new RecentlyStored(3)
  t.equal(recent.recall('a'), 0)
  for (const [index, name] of ['a', 'b', 'c'].entries()) recent.note(name, index + 1)
  recent.note('a', 10)
  recent.note('d', 4)
  t.strictSame(
    ['a', 'b', 'c', 'd'].map((name) => recent.recall(name)),
    [10, 0, 3, 4],
  )
  recent.note('a', 0)
  recent.note('e', 5)
  t.strictSame(
    ['a', 'c', 'd', 'e'].map((name) => recent.recall(name)),
    [0, 3, 4, 5],
  )
})
