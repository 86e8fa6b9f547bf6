import t, { type Test } from 'tap'
import { FRESH_FOR, Heartbeat } from '../../../../plugins/lib/near/heartbeat.js'

/** A heartbeat by two clocks that stand still until a test moves them. */
function beating() {
  const times = { monotonic: 1000, wall: 1_000_000 }
  const clocks = { monotonic: () => times.monotonic, wall: () => times.wall }
  const advance = (ms: number) => {
    times.monotonic += ms
    times.wall += ms
  }
  return { times, advance, heartbeat: new Heartbeat(clocks) }
}

t.test('one that came back vouches from when it was sent, not from when it came', async (t) => {
  const { heartbeat, advance } = beating()
  t.notOk(heartbeat.isFresh(), 'none yet')
  const name = heartbeat.next()
  advance(500)
  t.notOk(heartbeat.isFresh(), 'none back yet')
  heartbeat.arrived(name)
  t.ok(heartbeat.isFresh())
  advance(FRESH_FOR - 501)
  t.ok(heartbeat.isFresh())
  advance(1)
  t.notOk(heartbeat.isFresh())
  heartbeat.arrived(heartbeat.next())
  t.ok(heartbeat.isFresh())
})

t.test('either clock alone ends it: one stands still while the machine sleeps', async (t: Test) => {
  for (const clock of ['monotonic', 'wall'] as const) {
    const { heartbeat, times } = beating()
    heartbeat.arrived(heartbeat.next())
    times[clock] += FRESH_FOR
    t.notOk(heartbeat.isFresh(), clock)
  }
})

t.test('those of others, of another time and those given up prove nothing', async (t) => {
  const { heartbeat, advance } = beating()
  const [first, second] = [heartbeat.next(), heartbeat.next()]
  for (const name of ['', 'somebody:1', beating().heartbeat.next()]) heartbeat.arrived(name)
  t.notOk(heartbeat.isFresh())
  heartbeat.arrived(second)
  advance(FRESH_FOR)
  for (const name of [first, second]) heartbeat.arrived(name)
  t.notOk(heartbeat.isFresh(), 'what came before it, and itself again')
  const lost = heartbeat.next()
  heartbeat.forget()
  heartbeat.arrived(lost)
  t.notOk(heartbeat.isFresh(), 'sent before the feed was lost')
  heartbeat.arrived(heartbeat.next())
  t.ok(heartbeat.isFresh())
  heartbeat.forget()
  t.notOk(heartbeat.isFresh())
})

t.test('so many that were never answered are not all kept', async (t) => {
  const { heartbeat } = beating()
  const names = Array.from({ length: 20 }, () => heartbeat.next())
  heartbeat.arrived(names[0] ?? '')
  t.notOk(heartbeat.isFresh(), 'given up')
  heartbeat.arrived(names.at(-1) ?? '')
  t.ok(heartbeat.isFresh())
})

t.test('one that came back says how long it was under way', async (t) => {
  const { heartbeat, advance, times } = beating()
  const name = heartbeat.next()
  advance(30)
  times.wall = 0
  t.equal(heartbeat.arrived(name), 30, 'whatever the wall clock says')
  t.equal(heartbeat.arrived(name), null, 'once')
  t.equal(heartbeat.arrived('somebody:1'), null)
})
