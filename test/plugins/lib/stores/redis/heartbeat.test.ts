import t, { type Test } from 'tap'
import { FRESH_FOR, Heartbeat } from '../../../../../plugins/lib/stores/redis/heartbeat.js'

/** A heartbeat by two clocks that stand still until a test moves them. */
function beating() {
  const times = { monotonic: 1000, wall: 1_000_000 }
  const clocks = { monotonic: () => times.monotonic, wall: () => times.wall }
  const advance = (ms: number) => {
    times.monotonic += ms
    times.wall += ms
  }
  const heartbeat = new Heartbeat(clocks)
  /** Asks, is told of a heartbeat (its own if none is named), and has it come through the feed. */
  const beat = (last?: string) => {
    const asked = heartbeat.next()
    heartbeat.answered(asked, last ?? asked)
    return heartbeat.arrived(last ?? asked)
  }
  return { times, advance, heartbeat, beat }
}

t.test('one that came vouches from when it was asked for, not from when it came', async (t) => {
  const { heartbeat, advance, beat } = beating()
  t.notOk(heartbeat.isFresh(), 'none yet')
  const name = heartbeat.next()
  advance(300)
  heartbeat.answered(name, name)
  t.notOk(heartbeat.isFresh(), 'none come yet')
  advance(200)
  heartbeat.arrived(name)
  t.ok(heartbeat.isFresh())
  advance(FRESH_FOR - 501)
  t.ok(heartbeat.isFresh())
  advance(1)
  t.notOk(heartbeat.isFresh())
  beat()
  t.ok(heartbeat.isFresh())
})

t.test('one that another process added vouches as well, whichever comes first', async (t) => {
  for (const isFirst of ['the answer', 'the heartbeat']) {
    const { heartbeat, advance } = beating()
    const name = heartbeat.next()
    advance(100)
    if (isFirst === 'the answer') heartbeat.answered(name, 'other:1')
    t.equal(heartbeat.arrived('other:1'), null, 'nor does it say how long it took')
    if (isFirst === 'the heartbeat') heartbeat.answered(name, 'other:1')
    t.ok(heartbeat.isFresh(), isFirst)
    advance(FRESH_FOR - 100)
    t.notOk(heartbeat.isFresh())
  }
})

t.test('one that stands last still vouches anew with each question', async (t) => {
  const { heartbeat, advance, beat } = beating()
  beat('other:1')
  for (let times = 0; times < 5; times++) {
    advance(FRESH_FOR - 1)
    t.ok(heartbeat.isFresh())
    const name = heartbeat.next()
    heartbeat.answered(name, 'other:1')
  }
  const asked = heartbeat.next()
  heartbeat.answered(asked, 'other:2')
  advance(FRESH_FOR)
  t.notOk(heartbeat.isFresh(), 'the feed stands still: what stands last does not come')
  heartbeat.arrived('other:1')
  t.notOk(heartbeat.isFresh())
})

t.test('either clock alone ends it: one stands still while the machine sleeps', async (t: Test) => {
  for (const clock of ['monotonic', 'wall'] as const) {
    const { heartbeat, times, beat } = beating()
    beat()
    times[clock] += FRESH_FOR
    t.notOk(heartbeat.isFresh(), clock)
  }
})

t.test('those that nobody asked for, of another time and those given up prove nothing', async (t) => {
  const { heartbeat, advance, beat } = beating()
  const [first, second] = [heartbeat.next(), heartbeat.next()]
  for (const name of ['', 'somebody:1', first]) heartbeat.arrived(name)
  heartbeat.answered('somebody:1', first)
  t.notOk(heartbeat.isFresh(), 'no answer')
  heartbeat.answered(second, second)
  heartbeat.arrived(second)
  advance(FRESH_FOR)
  heartbeat.answered(first, first)
  for (const name of [first, second]) heartbeat.arrived(name)
  t.notOk(heartbeat.isFresh(), 'what was asked before it, and itself again')
  const [lost, named] = [heartbeat.next(), heartbeat.next()]
  heartbeat.answered(named, named)
  heartbeat.forget()
  heartbeat.answered(lost, lost)
  for (const name of [lost, named]) heartbeat.arrived(name)
  t.notOk(heartbeat.isFresh(), 'asked for before the feed was lost')
  beat()
  t.ok(heartbeat.isFresh())
  heartbeat.forget()
  t.notOk(heartbeat.isFresh())
  heartbeat.answered(heartbeat.next(), second)
  t.notOk(heartbeat.isFresh(), 'what came before the feed was lost is forgotten')
})

t.test('so many that were never answered are not all kept', async (t) => {
  const { heartbeat } = beating()
  const names = Array.from({ length: 20 }, () => heartbeat.next())
  const vouch = (name = '') => {
    heartbeat.answered(name, name)
    heartbeat.arrived(name)
  }
  vouch(names[0])
  t.notOk(heartbeat.isFresh(), 'given up')
  vouch(names.at(-1))
  t.ok(heartbeat.isFresh())
  for (let index = 0; index < 600; index++) heartbeat.arrived(`other:${index}`)
  heartbeat.forget()
  for (let index = 0; index < 600; index++) heartbeat.arrived(`other:${index}`)
  heartbeat.answered(heartbeat.next(), 'other:0')
  t.notOk(heartbeat.isFresh(), 'too long ago to be known')
  heartbeat.answered(heartbeat.next(), 'other:599')
  t.ok(heartbeat.isFresh())
})

t.test('one that was added here says how long it was under way', async (t) => {
  const { heartbeat, advance, times } = beating()
  for (const isAnswered of [true, false]) {
    const name = heartbeat.next()
    if (isAnswered) heartbeat.answered(name, name)
    advance(30)
    times.wall = 0
    t.equal(heartbeat.arrived(name), 30, 'whatever the wall clock says')
    heartbeat.answered(name, name)
  }
  t.equal(heartbeat.arrived('somebody:1'), null)
})
