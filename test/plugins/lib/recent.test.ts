import t from 'tap'
import { Recent } from '../../../plugins/lib/recent.js'

t.test('the names that were noted last are known, up to a bound', async (t) => {
  const recent = new Recent<true>(2)
  for (const key of ['a', 'b', 'b', 'c']) recent.note(key, true)
  t.same(
    ['a', 'b', 'c'].map((key) => recent.recall(key) === true),
    [false, true, true],
  )
})
