import { EventEmitter, once } from 'node:events'
import t, { type Test } from 'tap'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { createSqliteStore } from '../../../../plugins/lib/stores/sqlite/store.js'
import { SETTLED_AFTER, SettledTime, sweepRegularly } from '../../../../plugins/lib/stores/sweeper.js'
import { START } from '../../../helpers/clock.js'
import { openList } from '../../../helpers/sqlite-list.js'

const silent = { warn: () => {} }
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A settled time whose monotonic clock is far enough for everything. */
function settledAlready() {
  const times = { monotonic: 0 }
  const settled = new SettledTime(() => times.monotonic)
  settled.note(0)
  times.monotonic = SETTLED_AFTER
  return settled
}

/** Keeps the process alive, as a listening server would. */
function stayAlive(t: Test) {
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
}

t.test('sweeps again and again, until it is stopped', async (t) => {
  const swept = new EventEmitter()
  const store = Object.assign(createMemoryStore(), {
    sweep: async (now: number) => void swept.emit('swept', now),
  })
  const stop = sweepRegularly(store, () => SETTLED_AFTER + 42, silent, {
    interval: 1,
    settled: settledAlready(),
  })
  stayAlive(t)
  for (let times = 0; times < 2; times++) t.strictSame(await once(swept, 'swept'), [SETTLED_AFTER])
  stop()
  let after = 0
  swept.on('swept', () => after++)
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(after, 0)
})

t.test('a fault is logged, and the next sweep comes all the same', async (t) => {
  const swept = new EventEmitter()
  const fault = new Error('down')
  const store = Object.assign(createMemoryStore(), {
    sweep: async () => {
      swept.emit('swept')
      throw fault
    },
  })
  const logged: unknown[] = []
  const log = { warn: (entry: unknown) => void logged.push(entry) }
  const stop = sweepRegularly(store, () => SETTLED_AFTER, log, { interval: 1, settled: settledAlready() })
  stayAlive(t)
  await once(swept, 'swept')
  await once(swept, 'swept')
  stop()
  t.strictSame(logged[0], { err: fault })
})

/** A clock beside a monotonic one, and what is settled by a look each minute. */
function watched() {
  const times = { monotonic: 5000, wall: START }
  const settled = new SettledTime(() => times.monotonic)
  const pass = (ms: number): number | null => {
    let last: number | null = null
    for (let left = ms; left > 0; left -= 60_000) {
      times.monotonic += 60_000
      times.wall += 60_000
      last = settled.note(times.wall)
    }
    return last
  }
  return { times, pass }
}

t.test('a clock is believed when it has been watched for hours', async (t) => {
  const { times, pass } = watched()
  t.equal(pass(SETTLED_AFTER), null)
  t.equal(pass(HOUR), times.wall)
  t.equal(pass(3 * DAY), times.wall)
})

t.test('a jump ahead does not count before hours have passed, one back at once', async (t) => {
  const { times, pass } = watched()
  pass(DAY)
  times.wall += 32 * DAY
  t.equal(pass(60_000), times.wall - 32 * DAY)
  t.equal(pass(SETTLED_AFTER - HOUR), times.wall - 32 * DAY)
  times.wall -= 32 * DAY
  t.equal(pass(60_000), times.wall, 'back again: nothing was lost')
  times.wall -= 2 * HOUR
  t.equal(pass(60_000), times.wall)
  times.wall += 30 * DAY
  t.equal(pass(2 * SETTLED_AFTER + 60_000), times.wall, 'one that stays is believed within a day')
})

t.test('a clock 32 days ahead for a minute, and right again: nothing comes back', async (t) => {
  const opened = await openList(t)
  for (const store of [createMemoryStore(), createSqliteStore(opened.database)]) {
    const { times, settled, sweep } = sweeping(store)
    const generation = await store.generation()
    const ref = (signInId: string) => ({ accountId: 'a', signInId, epoch: 1, generation })
    await store.endSignIn('a', 's', START + 30 * DAY)
    await store.raiseEpoch('b', 5, null, START + 30 * DAY)
    await sweep(DAY, HOUR)
    times.wall += 32 * DAY
    await sweep(60_000)
    times.wall -= 32 * DAY
    await sweep(60_000)
    t.equal(await store.isLive(ref('s')), false, store.kind)
    t.equal(await store.isLive({ ...ref('x'), accountId: 'b' }), false, store.kind)
    t.equal(settled.note(times.wall), times.wall)
    await sweep(31 * DAY, HOUR)
    t.equal(await store.isLive(ref('s')), true, 'collected when its time has come')
  }
})

t.test('a machine that was off for a month collects within a day', async (t) => {
  const store = createMemoryStore()
  await store.endSignIn('a', 's', START - 20 * DAY)
  const { sweep } = sweeping(store)
  await sweep(DAY, HOUR)
  const generation = await store.generation()
  t.equal(await store.isLive({ accountId: 'a', signInId: 's', epoch: 1, generation }), true)
})

/** A sweep at each step for a while, as the sweeper would. */
function sweeping(store: Pick<ReturnType<typeof createMemoryStore>, 'sweep'>) {
  const times = { monotonic: 0, wall: START }
  const settled = new SettledTime(() => times.monotonic)
  const sweep = async (ms: number, step = 60_000) => {
    for (let left = ms; left > 0; left -= step) {
      times.monotonic += step
      times.wall += step
      const passed = settled.note(times.wall)
      if (passed !== null) await store.sweep(passed)
    }
  }
  return { times, settled, sweep }
}
