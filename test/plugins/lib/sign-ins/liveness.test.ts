import t from 'tap'
import { isLiveNow } from '../../../../plugins/lib/sign-ins/liveness.js'
import { makeGate } from '../../../helpers/session-app.js'

const REF = { accountId: 'a', signInId: 's', epoch: 0, generation: 1 }

t.test('a sign-in that is known to be live or ended is so without a promise', async (t) => {
  for (const live of [true, false]) t.equal(isLiveNow({ isLive: () => live }, REF), live)
})

t.test('one that this process ended while the store was asked is not live', async (t) => {
  const { opened, open } = makeGate()
  let endedHere = false
  const signIns = { isLive: () => (endedHere ? false : opened.then(() => true)) }
  const asked = isLiveNow(signIns, REF)
  endedHere = true
  open()
  t.equal(await asked, false)
})

t.test('a store that fails to answer once more has answered once', async (t) => {
  const answers = [Promise.resolve(true), Promise.reject(new Error('gone'))]
  t.equal(await isLiveNow({ isLive: () => answers.shift() ?? false }, REF), true)
  await t.rejects(Promise.resolve(isLiveNow({ isLive: () => Promise.reject(new Error('gone')) }, REF)))
})
