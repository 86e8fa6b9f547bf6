import t from 'tap'
import { isStored, markStored, tellOnceStored } from '../../../../plugins/lib/accounts/stored-change.js'
import { StoreUnavailable } from '../../../../plugins/lib/errors.js'

t.test('a change is told once where it is stored, and else not at all', async (t) => {
  let told = 0
  const outcome = (change: Promise<string | null>) =>
    tellOnceStored(change, () => told++).catch((error: unknown) => error)
  const stored = markStored(new StoreUnavailable())
  const lost = new StoreUnavailable()
  t.equal(await outcome(Promise.resolve('changed')), 'changed')
  t.equal(told, 1)
  t.equal(await outcome(Promise.reject(stored)), stored)
  t.equal(told, 2)
  t.equal(await outcome(Promise.reject(lost)), lost)
  t.equal(await outcome(Promise.resolve(null)), null)
  t.equal(told, 2, 'what was not stored, or may not have been, or had nothing to change')
  t.strictSame([stored, lost, null, 'text'].map(isStored), [true, false, false, false])
  t.equal(markStored('text'), 'text')
})
