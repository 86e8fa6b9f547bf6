import fc from 'fast-check'
import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { PasskeyChallenges } from '../../../../plugins/lib/factors/challenges.js'
import type { ChallengeScope } from '../../../../plugins/lib/factors/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { NEXT_SECRET, SECRET, TestClock } from '../../../helpers/suite.js'

const SCOPE: ChallengeScope = { purpose: 'step_up', subject: 'sign-in-1', accountId: 'a-1' }

function open(secrets = [SECRET], store = createMemoryStore(), clock = new TestClock()) {
  const { spendOnce } = store
  if (!spendOnce) throw new Error('the store spends nothing')
  const spending = { spendOnce: spendOnce.bind(store) }
  const keys = createKeyRing(secrets).purpose('passkey-challenge')
  return { clock, store, challenges: new PasskeyChallenges({ keys, clock: clock.read, store: spending }) }
}

t.test('a challenge is for one purpose, one subject and one account', async (t) => {
  const { challenges } = open()
  const text = challenges.make(SCOPE)
  t.ok(challenges.isFor(SCOPE, text))
  t.not(challenges.make(SCOPE), text, 'no two are the same')
  const others: ChallengeScope[] = [
    { ...SCOPE, purpose: 'pending' },
    { ...SCOPE, purpose: 'register' },
    { ...SCOPE, purpose: 'reset' },
    { ...SCOPE, purpose: 'login', accountId: null },
    { ...SCOPE, subject: 'sign-in-2' },
    { ...SCOPE, subject: '' },
    { ...SCOPE, accountId: 'a-2' },
    { ...SCOPE, accountId: null },
    { ...SCOPE, accountId: '-' },
    { ...SCOPE, subject: 'sign-in-1=a-1', accountId: '' },
  ]
  for (const scope of others) {
    t.notOk(challenges.isFor(scope, text), JSON.stringify(scope))
    t.notOk(challenges.isFor(SCOPE, challenges.make(scope)), JSON.stringify(scope))
  }
  const nobody: ChallengeScope = { purpose: 'login', subject: 'p', accountId: null }
  t.ok(challenges.isFor(nobody, challenges.make(nobody)))
  t.notOk(challenges.isFor({ ...nobody, accountId: '-' }, challenges.make(nobody)))
})

t.test('it lasts for five minutes, and a clock that was far ahead cannot stretch them', async (t) => {
  const { challenges, clock } = open()
  const text = challenges.make(SCOPE)
  clock.advance(299)
  t.ok(challenges.isFor(SCOPE, text))
  clock.advance(1)
  t.notOk(challenges.isFor(SCOPE, text))
  const late = challenges.make(SCOPE)
  clock.advance(-60)
  t.ok(challenges.isFor(SCOPE, late), 'clocks may differ by a minute')
  clock.advance(-1)
  t.notOk(challenges.isFor(SCOPE, late))
})

t.test('it outlives a rotation of secrets, and no other secret makes one', async (t) => {
  const text = open().challenges.make(SCOPE)
  t.ok(open([NEXT_SECRET, SECRET]).challenges.isFor(SCOPE, text))
  t.notOk(open([NEXT_SECRET]).challenges.isFor(SCOPE, text))
})

t.test('it is spent once, in all processes', async (t) => {
  const store = createMemoryStore()
  const [one, other] = [open([SECRET], store).challenges, open([SECRET], store).challenges]
  const [text, next] = [one.make(SCOPE), one.make(SCOPE)]
  const spent = await Promise.all([one.spend(text), other.spend(text), one.spend(text)])
  t.equal(spent.filter(Boolean).length, 1)
  t.equal(await other.spend(text), false)
  t.ok(await other.spend(next))
})

t.test('no text is a challenge by accident, and a change of any character makes it none', async () => {
  const { challenges } = open()
  const text = challenges.make(SCOPE)
  const changed = fc
    .record({
      at: fc.nat(text.length - 1),
      by: fc.constantFrom('A', 'b', '0', '-', '_', '.', ' ', '\n', 'é'),
    })
    .map(({ at, by }) => text.slice(0, at) + by + text.slice(at + 1))
    .filter((each) => each !== text)
  const cut = fc.nat(text.length - 1).map((length) => text.slice(0, length))
  const longer = fc.string({ minLength: 1 }).map((more) => text + more)
  const any = fc.oneof(changed, cut, longer, fc.string(), fc.stringMatching(/^[\w.-]{1,120}$/))
  fc.assert(
    fc.property(any, (each) => !challenges.isFor(SCOPE, each)),
    { numRuns: 1000 },
  )
})
