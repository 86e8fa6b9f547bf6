import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'
import { caughtUp, openFollowed } from './followed.js'
import { startRedis } from './redis-server.js'

/** The stores of two instances, or one store twice. */
export interface TwoStores {
  readonly here: StateStore
  readonly there: StateStore
  /** Waits until `here` has heard of all that `there` has ended. */
  readonly heard: () => Promise<void>
}

async function onSqlite(t: Test): Promise<TwoStores> {
  const database = await openDatabase(databaseFile(t.testdir()))
  t.teardown(() => database.close())
  const store = createSqliteStore(database)
  return { here: store, there: store, heard: async () => {} }
}

async function onRedis(t: Test, count: 1 | 2): Promise<TwoStores> {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const open = async () => (await openFollowed(t, server.url, { commandTimeout: 10_000 })).store
  const here = await open()
  const there = count === 1 ? here : await open()
  return { here, there, heard: () => caughtUp(there, here) }
}

export const PLACES: Readonly<Record<string, (t: Test) => Promise<TwoStores>>> = {
  SQLite: onSqlite,
  Redis: (t) => onRedis(t, 1),
  'two instances on Redis': (t) => onRedis(t, 2),
}

/** Draws numbers, the same ones each time (Numerical Recipes, §7.1). */
export class Draw {
  #state = 20_260_101

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * limit)
  }

  from<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0]
  }
}

/** A renewal of a sign-in, and the end of that sign-in. */
export interface Racers {
  /** @returns its status */
  renew(): Promise<number>
  end(): Promise<unknown>
  /** Uses everything that the client has got, on all instances. @returns the statuses */
  use(): Promise<number[]>
}

export interface Outcomes {
  granted: number
  refused: number
  /** Granted, although it was asked for after the end was answered. */
  late: number
  /** After which something was accepted. */
  undone: number
}

/** Many stores answer within one turn, so that only ticks come between its steps. */
async function waitBriefly(draw: Draw): Promise<void> {
  const isTicks = draw.below(2) === 0
  for (let left = draw.below(isTicks ? 60 : 14); left > 0; left--)
    await (isTicks ? new Promise<void>((resolve) => process.nextTick(resolve)) : nextTurn())
}

async function race({ renew, end, use }: Racers, draw: Draw, heard: () => Promise<void>, outcomes: Outcomes) {
  const isLate = draw.below(12) === 0
  if (isLate) await end()
  const renewal = renew()
  await waitBriefly(draw)
  if (!isLate) await end()
  const status = await renewal
  if (status !== 200 && status !== 401) throw new Error(`the renewal was answered with ${status}`)
  outcomes[status === 200 ? 'granted' : 'refused'] += 1
  if (isLate && status === 200) outcomes.late += 1
  await heard()
  if ((await use()).some((each) => each !== 401)) outcomes.undone += 1
}

/** Ends sign-ins while they are renewed. */
export async function raceAll(
  rounds: number,
  begin: (draw: Draw) => Promise<Racers>,
  heard: () => Promise<void>,
): Promise<Outcomes> {
  const [outcomes, draw] = [{ granted: 0, refused: 0, late: 0, undone: 0 }, new Draw()]
  for (let round = 0; round < rounds; round++) await race(await begin(draw), draw, heard, outcomes)
  return outcomes
}
