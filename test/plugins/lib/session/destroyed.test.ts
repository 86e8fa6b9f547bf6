import t from 'tap'
import { DestroyedSessions } from '../../../../plugins/lib/session/destroyed.js'

t.test('the sessions that were destroyed last are known, up to a bound', async (t) => {
  const destroyed = new DestroyedSessions(2)
  for (const key of ['a', 'b', 'b', 'c']) destroyed.note(key)
  t.same(
    ['a', 'b', 'c'].map((key) => destroyed.has(key)),
    [false, true, true],
  )
})
