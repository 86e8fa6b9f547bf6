import type { Test } from 'tap'
import { findWait, forget, isWait, type Reservation, reserve } from '../plugins/lib/throttle/limit.js'
import { type LimitRule, unpackRound } from '../plugins/lib/throttle/rounds.js'
import type { Steps } from '../plugins/lib/throttle/steps.js'
import { TestClock } from './helpers/suite.js'

/** What an account has by default, in seconds. */
export const ACCOUNT: LimitRule = {
  limit: 10,
  window: 900,
  delays: { first: 60, longest: 900, forget: 9000 },
}
const ADDRESS: LimitRule = { limit: 100, window: 900, delays: null }

/** How each of the implementations is opened: two views of one store, as two processes have them. */
export type OpenSteps = (t: Test) => Promise<readonly [Steps, Steps]>

/** The number under a name, whether it is a subject or a counter. */
export async function readNumber(steps: Steps, name: string): Promise<number> {
  return (await steps.look(name, name)).stored
}

function subjectsOf(steps: Steps, rule: LimitRule, subject: string, clock: TestClock) {
  const attempt = () => reserve(steps, { rule: rule, subject: subject }, clock.now)
  const taken = async (): Promise<Reservation> => {
    const outcome = await attempt()
    if (isWait(outcome)) throw new Error(`refused for ${outcome.retryAfter} s`)
    return outcome
  }
  return {
    attempt,
    taken,
    /** Makes failures, one after the other. */
    async fail(times: number) {
      for (let count = 0; count < times; count++) await (await taken()).fail(clock.now)
    },
    forget: () => forget(steps, { rule, subject }),
    /** For how many seconds an attempt is refused; null where it is not, and then it is given back. */
    async wait(): Promise<number | null> {
      const outcome = await attempt()
      if (isWait(outcome)) return outcome.retryAfter
      await outcome.giveBack()
      return null
    },
    /** The same, without taking one. */
    async look(): Promise<number | null> {
      return (await findWait(steps, { rule: rule, subject: subject }, clock.now))?.retryAfter ?? null
    },
  }
}

/** What every implementation of Steps must do, and what the limits do on it. */
export function stepsContract(t: Test, name: string, open: OpenSteps): void {
  t.test(`${name}: numbers are added to, read, written, and apart from each other`, async (t) => {
    const [here, there] = await open(t)
    const add = async (steps: Steps, subject: string, most = 9) =>
      (await steps.take({ subject, seen: 0, counter: `${subject}:1`, most, keep: 60 })).count
    const counts = (subject: string) => readNumber(here, `${subject}:1`)
    t.equal(await counts('{a}'), 0)
    t.strictSame([await add(here, '{a}'), await add(there, '{a}')], [1, 2])
    t.equal(await add(here, '{a}', 2), null, 'no more than the most')
    t.equal(await there.release('{a}', '{a}:1'), 0)
    t.strictSame([await counts('{a}'), await add(here, '{b}')], [1, 1])
    const large = 2 ** 52 + 1
    t.equal(await here.replace('{a}', 0, large, 60), 0)
    t.strictSame([await readNumber(there, '{a}'), await readNumber(there, '{b}')], [large, 0])
    t.equal(await there.replace('{a}', 0, 5, 60), large, 'what is stored is not what was expected')
    t.strictSame(
      await there.take({ subject: '{a}', seen: 0, counter: '{a}:1', most: 9, keep: 60 }),
      { stored: large, count: null },
      'and nothing is counted by it',
    )
    t.strictSame(await there.look('{a}', '{a}:1'), { stored: large, count: 1 })
    await here.release('{b}', '{b}:1')
    t.equal(await counts('{b}'), 0)
    t.equal(await add(here, '{b}'), 1, 'what came to nothing begins anew')
    await here.release('{c}', '{c}:1')
    t.equal(await add(here, '{c}'), 1, 'what was released without being taken gives nothing away')
  })

  t.test(
    `${name}: of 100 attempts at once, over two processes, the limit's number is let through`,
    async (t) => {
      const views = await open(t)
      const clock = new TestClock()
      const subjects = views.map((steps) => subjectsOf(steps, ACCOUNT, '{storm}', clock))
      const storm = () =>
        Promise.all(Array.from({ length: 50 }, () => subjects.map(({ attempt }) => attempt())).flat())
      const outcomes = await storm()
      const taken = outcomes.flatMap((outcome) => (isWait(outcome) ? [] : outcome))
      t.equal(taken.length, 10)
      t.strictSame(
        [...new Set(outcomes.flatMap((outcome) => (isWait(outcome) ? outcome.retryAfter : [])))],
        [60],
      )
      await Promise.all(taken.map((reservation) => reservation.fail(clock.now)))
      t.ok((await storm()).every(isWait), 'nor is any more')
      clock.advance(60)
      const next = (await storm()).filter((outcome) => !isWait(outcome))
      t.equal(next.length, 1, 'after the delay, one')
    },
  )

  t.test(
    `${name}: the delay doubles with each failure, up to the longest, and is forgotten in the end`,
    async (t) => {
      const [steps] = await open(t)
      const clock = new TestClock()
      const account = subjectsOf(steps, ACCOUNT, '{delays}', clock)
      t.equal(await account.wait(), null)
      await account.fail(9)
      t.equal(await account.wait(), null)
      await account.fail(1)
      for (const delay of [60, 120, 240, 480, 900, 900]) {
        t.equal(await account.wait(), delay)
        clock.advance(delay - 1)
        t.equal(await account.wait(), 1)
        clock.advance(1)
        t.equal(await account.wait(), null, 'an attempt that was none changes nothing')
        await account.fail(1)
      }
      clock.advance(900 + 8999)
      await account.fail(1)
      t.equal(await account.wait(), 900, 'not forgotten yet')
      clock.advance(900 + 9000)
      await account.fail(10)
      t.equal(await account.wait(), 60)
    },
  )

  t.test(`${name}: failures are counted from the first, for as long as the window`, async (t) => {
    const [steps] = await open(t)
    const clock = new TestClock()
    const account = subjectsOf(steps, ACCOUNT, '{window}', clock)
    clock.advance(777)
    await account.fail(5)
    clock.advance(899)
    await account.fail(4)
    clock.advance(1)
    await account.fail(9)
    t.equal(await account.wait(), null, 'those of the window before are not among them')
    await account.fail(1)
    t.equal(await account.wait(), 60)
  })

  t.test(`${name}: without delays what is over the limit waits for the end of the window`, async (t) => {
    const [steps] = await open(t)
    const clock = new TestClock()
    const address = subjectsOf(steps, { ...ADDRESS, limit: 3 }, '{address}', clock)
    await address.fail(1)
    clock.advance(300)
    await address.fail(2)
    t.equal(await address.wait(), 600)
    clock.advance(599)
    t.equal(await address.wait(), 1)
    clock.advance(1)
    await address.fail(3)
    t.equal(await address.wait(), 900)
  })

  t.test(`${name}: what a clock wrote that was ahead locks nobody out`, async (t) => {
    const [steps] = await open(t)
    const [clock, ahead] = [new TestClock(), new TestClock()]
    for (const seconds of [24 * 3600, 3600 + 901]) {
      ahead.now = clock.now + seconds * 1000
      for (const failures of [9, 10, 11]) {
        const subject = `{${seconds} ${failures}}`
        const early = subjectsOf(steps, ACCOUNT, subject, ahead)
        await early.fail(Math.min(failures, 10))
        ahead.advance(60)
        await early.fail(Math.max(failures - 10, 0))
        ahead.advance(-60)
        const account = subjectsOf(steps, ACCOUNT, subject, clock)
        await account.fail(10)
        t.equal(await account.wait(), 60, `${failures} failures, ${seconds} seconds ahead`)
      }
    }
    const address = subjectsOf(steps, { ...ADDRESS, limit: 3 }, '{ahead}', ahead)
    await address.fail(3)
    await subjectsOf(steps, { ...ADDRESS, limit: 3 }, '{ahead}', clock).fail(3)
  })

  t.test(`${name}: clocks that disagree by a minute count together`, async (t) => {
    const views = await open(t)
    const [clock, ahead] = [new TestClock(), new TestClock()]
    ahead.advance(60)
    const here = subjectsOf(views[0], ACCOUNT, '{apart}', ahead)
    const there = subjectsOf(views[1], ACCOUNT, '{apart}', clock)
    await here.fail(5)
    await there.fail(4)
    await here.fail(1)
    t.equal(await there.wait(), 120, 'a delay that began later')
    clock.advance(119)
    t.equal(await there.wait(), 1)
  })

  t.test(`${name}: what is given back, and no more, can be taken again`, async (t) => {
    const [steps] = await open(t)
    const clock = new TestClock()
    const account = subjectsOf(steps, ACCOUNT, '{back}', clock)
    await account.fail(8)
    const [ninth, tenth] = [await account.taken(), await account.taken()]
    t.equal(await account.wait(), 60, 'while they are under way')
    await tenth.giveBack()
    t.equal(await account.wait(), null)
    await ninth.fail(clock.now)
    await account.fail(1)
    clock.advance(60)
    const single = await account.taken()
    t.equal(await account.wait(), 120, 'one at a time')
    await single.giveBack()
    await account.fail(1)
    t.equal(await account.wait(), 120)
  })

  t.test(`${name}: a reset forgets failures and delays, and nothing of it comes back`, async (t) => {
    const [steps] = await open(t)
    const clock = new TestClock()
    const account = subjectsOf(steps, ACCOUNT, '{reset}', clock)
    await (await account.taken()).reset()
    await account.fail(9)
    await (await account.taken()).reset()
    await account.fail(8)
    const late = [await account.taken(), await account.taken()] as const
    await late[0].reset()
    await late[1].fail(clock.now)
    await account.fail(10)
    t.equal(await account.wait(), 60)
    clock.advance(60)
    await account.fail(1)
    clock.advance(120)
    await (await account.taken()).reset()
    await account.fail(10)
    t.equal(await account.wait(), 60, 'the first delay again')
  })

  t.test(`${name}: failures are forgotten without an attempt, and by another process too`, async (t) => {
    const views = await open(t)
    const clock = new TestClock()
    const here = subjectsOf(views[0], ACCOUNT, '{forget}', clock)
    const there = subjectsOf(views[1], ACCOUNT, '{forget}', clock)
    await there.forget()
    t.equal(await readNumber(views[0], '{forget}'), 0, 'nothing is written where nothing failed')
    await here.fail(9)
    t.equal((await there.taken()).failures, 10)
    await there.forget()
    const first = await here.taken()
    t.equal(first.failures, 1)
    await first.giveBack()
    await here.fail(10)
    clock.advance(60)
    const single = await there.taken()
    t.equal(single.failures, 11)
    await single.fail(clock.now)
    t.equal(await here.wait(), 120)
    await there.forget()
    t.equal(await here.wait(), null)
    await there.forget()
    await there.fail(9)
    t.equal((await here.taken()).failures, 10)
  })

  t.test(`${name}: the last of a round that was reset meanwhile closes nothing`, async (t) => {
    const [steps] = await open(t)
    const clock = new TestClock()
    const account = subjectsOf(steps, ACCOUNT, '{late}', clock)
    await account.fail(8)
    const [ninth, tenth] = [await account.taken(), await account.taken()]
    await ninth.reset()
    await tenth.fail(clock.now)
    t.equal(await account.wait(), null)
    t.equal(unpackRound(await readNumber(steps, '{late}')).time, 0)
  })

  t.test(`${name}: a look says what an attempt would be told, and takes none`, async (t) => {
    const views = await open(t)
    const clock = new TestClock()
    const [here, there] = views.map((steps) => subjectsOf(steps, ACCOUNT, '{look}', clock))
    if (!here || !there) return t.fail('There are two views.')
    const both = async () => [await here.look(), await there.look()]
    for (let failures = 0; failures < 10; failures++) {
      t.strictSame(await both(), [null, null], `${failures} failures`)
      await here.fail(1)
    }
    t.strictSame(await both(), [60, 60])
    clock.advance(60)
    t.strictSame(await both(), [null, null])
    const single = await there.taken()
    t.strictSame(await both(), [120, 120], 'one at a time')
    await single.giveBack()
    clock.advance(9000)
    t.strictSame(await both(), [null, null])
    const address = subjectsOf(views[0], { ...ADDRESS, limit: 1 }, '{look at}', clock)
    await address.fail(1)
    clock.advance(300)
    t.equal(await address.look(), 600)
  })

  t.test(`${name}: what another process wrote meanwhile is noticed, each time`, async (t) => {
    const views = await open(t)
    const clock = new TestClock()
    const [here, there] = views.map((steps) => subjectsOf(steps, ACCOUNT, '{stale}', clock))
    if (!here || !there) return t.fail('There are two views.')
    await here.fail(1)
    await there.fail(9)
    t.equal(await here.wait(), 60, 'closed there')
    clock.advance(60)
    const single = await there.taken()
    t.equal(await here.wait(), 120, 'one at a time')
    await single.reset()
    t.equal(await here.wait(), null, 'reset there')
    await here.fail(3)
    const [fourth, reset] = [await there.taken(), await here.taken()]
    await reset.reset()
    await fourth.fail(clock.now)
    await there.fail(9)
    t.equal(await here.look(), null, 'those before the reset, and the one that it overtook, do not count')
    await there.fail(1)
    t.strictSame([await here.wait(), await there.wait()], [60, 60])
  })
}
