import t from 'tap'
import { LastSeen } from '../../../../plugins/lib/throttle/last-seen.js'

t.test('what was seen last is recalled, nothing is 0, and the oldest give way', async (t) => {
  const seen = new LastSeen(3)
  t.equal(seen.recall('a'), 0)
  for (const [index, name] of ['a', 'b', 'c'].entries()) seen.note(name, index + 1)
  seen.note('a', 10)
  seen.note('d', 4)
  t.strictSame(
    ['a', 'b', 'c', 'd'].map((name) => seen.recall(name)),
    [10, 0, 3, 4],
  )
  seen.note('a', 0)
  seen.note('e', 5)
  t.strictSame(
    ['a', 'c', 'd', 'e'].map((name) => seen.recall(name)),
    [0, 3, 4, 5],
  )
})
