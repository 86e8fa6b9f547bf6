import t from 'tap'
import type { MaybePromise } from '../../../../plugins/lib/contract.js'
import { SIGNED_OUT, signedOutAs, Verified } from '../../../../plugins/lib/verified/verified.js'
import { ALICE, identityFor, START } from '../../../helpers/suite.js'

/** A credential, and sign-ins that say what a test has them say, and count how often they are asked. */
function setUp() {
  const identity = identityFor(ALICE, 'cookie')
  const credential = new Verified(identity, 'text', { epoch: 1, generation: 7 }, START, START + 1000)
  const says: { live: MaybePromise<boolean>; revision: number; asked: number } = {
    live: true,
    revision: 0,
    asked: 0,
  }
  const signIns = {
    revision: () => says.revision,
    isLive: () => {
      says.asked += 1
      return says.live
    },
  }
  return { credential, says, resolve: () => credential.resolve(signIns) }
}

t.test('who was live under a revision is not asked for again while it stays the same', async (t) => {
  const { credential, says, resolve } = setUp()
  for (let times = 0; times < 3; times++) t.equal(resolve(), credential)
  t.equal(says.asked, 1)
})

t.test('under another revision it is', async (t) => {
  const { credential, says, resolve } = setUp()
  resolve()
  says.revision = 1
  t.equal(resolve(), credential)
  t.equal(says.asked, 2)
  says.revision = 2
  says.live = false
  t.equal(resolve(), SIGNED_OUT)
  t.equal(resolve(), SIGNED_OUT)
  t.equal(says.asked, 4, 'an end is not remembered here')
})

t.test('without a revision it is, each time', async (t) => {
  const { says, resolve } = setUp()
  says.revision = -1
  resolve()
  resolve()
  t.equal(says.asked, 2)
  says.live = false
  t.equal(resolve(), SIGNED_OUT)
})

t.test(
  'what took a promise to find out is not remembered: the list may have changed meanwhile',
  async (t) => {
    const { credential, says, resolve } = setUp()
    says.live = Promise.resolve(true)
    t.equal(await resolve(), credential)
    says.live = Promise.resolve(false)
    t.equal(await resolve(), SIGNED_OUT)
    t.equal(says.asked, 2)
  },
)

t.test('what is handed out is frozen all the way, but for the marks', async (t) => {
  const { credential } = setUp()
  t.ok(Object.isFrozen(credential) && Object.isFrozen(credential.identity))
  credential.seenAt = START
  t.equal(credential.seenAt, START)
})

t.test('a credential without a sign-in is signed out, whatever the list says', async (t) => {
  const kept = signedOutAs('text', START, START + 1000)
  const ask = () => t.fail('nothing is asked')
  t.equal(kept.resolve({ revision: () => Number(ask()), isLive: () => Boolean(ask()) }), SIGNED_OUT)
  t.ok(Object.isFrozen(kept))
})
