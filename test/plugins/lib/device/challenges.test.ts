import fc from 'fast-check'
import t from 'tap'
import { Challenges, isAnswerable } from '../../../../plugins/lib/device/challenges.js'
import { START } from '../../../helpers/clock.js'
import { alteredTexts, keysOf, NEXT, OTHERS, REF, SECRET } from '../../../helpers/device.js'

const challenges = new Challenges(keysOf('device-challenge'))
const MINUTE = 60_000

t.test('a challenge is the same for a minute, and says when that began', async (t) => {
  for (const kind of ['r', 'p'] as const) {
    const first = challenges.derive(REF, kind, START)
    t.equal(challenges.derive(REF, kind, START + MINUTE - 1), first)
    t.not(challenges.derive(REF, kind, START + MINUTE), first)
    t.strictSame(challenges.read(REF, first), { kind, issuedAt: START })
    t.strictSame(challenges.read(REF, challenges.derive(REF, kind, START + MINUTE - 1)), {
      ...{ kind, issuedAt: START },
    })
  }
  t.not(challenges.derive(REF, 'r', START), challenges.derive(REF, 'p', START))
})

t.test('an invented one is another each time', async (t) => {
  const all = Array.from({ length: 50 }, () => challenges.invent(REF, START + 7))
  t.equal(new Set(all).size, 50)
  for (const text of all) t.strictSame(challenges.read(REF, text), { kind: 'f', issuedAt: START + 7 })
})

t.test('a challenge is for one sign-in, under the keys of the ring', async (t) => {
  const rotated = new Challenges(keysOf('device-challenge', NEXT, SECRET))
  const stranger = new Challenges(keysOf('device-challenge', NEXT))
  for (const text of [challenges.derive(REF, 'p', START), challenges.invent(REF, START)]) {
    for (const other of OTHERS) t.equal(challenges.read(other, text), null)
    t.equal(challenges.read({ ...REF, epoch: 9, generation: 1 }, text)?.issuedAt, START, 'ids name a sign-in')
    t.equal(rotated.read(REF, text)?.issuedAt, START)
    t.equal(stranger.read(REF, text), null)
    t.equal(challenges.read(REF, [text]), null, 'a list of one is no text')
  }
})

t.test('nobody makes a challenge up, or moves its time', async () => {
  const genuine = [challenges.derive(REF, 'p', START), challenges.invent(REF, START)]
  const texts: fc.Arbitrary<unknown> = fc.oneof(...genuine.map(alteredTexts), fc.anything())
  fc.assert(
    fc.property(texts, (text) => genuine.includes(String(text)) || challenges.read(REF, text) === null),
    { numRuns: 1000 },
  )
})

t.test('a challenge is answered for 15 minutes: its proof must have 5 left of 20', async (t) => {
  const challenge = { kind: 'p', issuedAt: START } as const
  t.equal(isAnswerable(challenge, START), true)
  t.equal(isAnswerable(challenge, START + 15 * MINUTE), true)
  t.equal(isAnswerable(challenge, START + 15 * MINUTE + 1), false)
  t.equal(isAnswerable(challenge, START - MINUTE), true, 'by an instance whose clock is ahead')
  t.equal(isAnswerable(challenge, START - MINUTE - 1), false)
  t.equal(isAnswerable(challenge, Number.NaN), false, 'a broken clock')
})
