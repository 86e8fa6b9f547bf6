import t from 'tap'
import { OptionInvalid } from '../../../../plugins/lib/errors.js'
import { FailoverSteps } from '../../../../plugins/lib/throttle/failover.js'
import { type Demand, holdAttempt } from '../../../../plugins/lib/throttle/held-attempt.js'
import { MemorySteps } from '../../../../plugins/lib/throttle/memory-steps.js'
import { packRound, roundAt, unpackRound } from '../../../../plugins/lib/throttle/rounds.js'
import type { Steps } from '../../../../plugins/lib/throttle/steps.js'
import { START, TestClock } from '../../../helpers/suite.js'
import { ACCOUNT, readNumber } from '../../../steps-contract.js'

/** Shared counters that can be made to fail, and a failover with a time of its own. */
function setUp() {
  const clock = new TestClock()
  const inner = new MemorySteps(clock.read)
  const shared = { asked: 0, fails: (_name: string) => false }
  const attempt = <T>(name: string, work: () => T): T => {
    shared.asked++
    if (shared.fails(name)) throw new Error('the store is gone')
    return work()
  }
  const faulty: Steps = {
    expect: (subject) => inner.expect(subject),
    look: async (...args) => attempt(args[1], () => inner.look(...args)),
    take: async (taking) => attempt(taking.counter, () => inner.take(taking)),
    release: async (...args) => attempt(args[1], () => inner.release(...args)),
    replace: async (...args) => attempt(args[0], () => inner.replace(...args)),
  }
  const lines: string[] = []
  const note = (level: string) => (first: unknown, text?: string) =>
    void lines.push(`${level}: ${text ?? first}`)
  const log = { warn: note('warn'), info: note('info'), debug: note('debug') }
  const time = { elapsed: 0 }
  const local = new MemorySteps(clock.read)
  const steps = new FailoverSteps({ shared: faulty, local, log, elapsed: () => time.elapsed })
  return { clock, inner, local, shared, lines, time, steps, parts: { steps, clock: clock.read } }
}

const LOST = 'warn: Sign-ins are throttled by this process alone.'
const FOUND = 'info: Sign-ins are throttled by what all processes count.'
const rule = { ...ACCOUNT, limit: 1 }
const demand = (by: Demand['by']): Demand => ({ by, rule, subject: `{${by}}` })

t.test(
  'a store that fails is left alone for a second, and then asked by one attempt at a time',
  async (t) => {
    const { shared, steps, lines, time } = setUp()
    const read = () => steps.use((each) => readNumber(each, '{a}'))
    await read()
    shared.fails = () => true
    t.equal(await read(), 0)
    const { asked } = shared
    time.elapsed = 999
    await Promise.all([read(), read()])
    t.equal(shared.asked, asked)
    time.elapsed = 1000
    await Promise.all([read(), read(), read()])
    t.equal(shared.asked, asked + 1)
    shared.fails = () => false
    time.elapsed = 2000
    await read()
    await read()
    t.equal(shared.asked, asked + 3, 'and is back at its first answer')
    t.strictSame(lines, [LOST, 'debug: The store of the throttle still fails.', FOUND])
  },
)

t.test('an attempt that the store lost half-way is taken locally, and given back in the store', async (t) => {
  const { shared, inner, parts } = setUp()
  shared.fails = (name) => name.startsWith('{pair}')
  const attempt = await holdAttempt(parts, [[demand('address')], [demand('account'), demand('pair')]])
  t.notOk('retryAfter' in attempt)
  await new Promise(setImmediate)
  t.strictSame([await readNumber(inner, '{address}:1'), await readNumber(inner, '{account}:1')], [0, 0])
  const next = await holdAttempt(parts, [[demand('address')]])
  t.match(next, { by: 'address' }, 'there is no second one here')
})

t.test('the longest of several refusals is told, and what the others gave is given back', async (t) => {
  const { clock, inner, parts } = setUp()
  const tell = async (...groups: Demand[][]) => holdAttempt(parts, groups)
  const account = await tell([demand('account')])
  if (!('retryAfter' in account)) await account.fail()
  clock.advance(30)
  const pair = await tell([demand('pair')])
  if (!('retryAfter' in pair)) await pair.fail()
  const refusals = [
    await tell([demand('address')], [demand('account'), demand('pair')]),
    await tell([demand('address')], [demand('pair'), demand('account')]),
    await tell([demand('account')], [demand('pair')]),
  ]
  t.match(refusals, [
    { by: 'pair', retryAfter: 60 },
    { by: 'pair', retryAfter: 60 },
    { by: 'account', retryAfter: 30 },
  ])
  t.equal(await readNumber(inner, '{address}:1'), 0)
})

t.test('a store that fails when an attempt is settled changes no answer', async (t) => {
  const { shared, steps, lines, parts } = setUp()
  for (const settle of ['fail', 'giveBack', 'grant'] as const) {
    const attempt = await holdAttempt(parts, [[demand('address'), { ...demand('account'), subject: settle }]])
    if ('retryAfter' in attempt) throw new Error('refused')
    shared.fails = () => true
    await attempt[settle]()
    shared.fails = () => false
    t.equal(lines[0], LOST)
  }
  await t.rejects(
    steps.use(() => Promise.reject(new OptionInvalid('a', 'mistake'))),
    { code: 'OPTION_INVALID' },
  )
})

t.test('a round is one whole number, for a long time to come', async (t) => {
  const far = { number: 16_383, level: 31, time: Date.UTC(2500, 0, 1) / 1000 }
  t.strictSame(unpackRound(packRound(far)), far)
  t.ok(Number.isSafeInteger(packRound(far)))
  t.strictSame(unpackRound(packRound({ ...far, level: 40 })).level, 31)
  const { round, isNew } = roundAt(packRound({ number: 16_383, level: 0, time: 1 }), ACCOUNT, START)
  t.strictSame([round.number, isNew], [1, true], 'numbers begin anew')
})
