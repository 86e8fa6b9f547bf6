import fc from 'fast-check'
import t, { type Test, test } from 'tap'
import type { StateStore } from '../plugins/index.js'
import { databaseFile, openDatabase } from '../plugins/lib/database/embedded.js'
import { createMemoryStore } from '../plugins/lib/stores/memory/store.js'
import { closeRedis, firstAttempt, openRedis } from '../plugins/lib/stores/redis/client.js'
import { FollowedStore } from '../plugins/lib/stores/redis/followed-store.js'
import { createSqliteStore } from '../plugins/lib/stores/sqlite/store.js'
import { History } from './helpers/history.js'
import { HistoryAccounts, historyApp } from './helpers/history-app.js'
import { Gate, gatedClient, gatedStore, notedStore, type SessionKeys } from './helpers/history-gate.js'
import type { World } from './helpers/history-requests.js'
import { histories } from './helpers/history-steps.js'
import { startRedis } from './helpers/redis-server.js'
import { TestClock } from './helpers/suite.js'

/*
 * Generated histories of a few clients on two instances, whose calls to the stores go on in a generated order,
 * against a judge of what may be answered: nothing that ended comes back, no update of another key is lost, a
 * retry is no theft, and a theft is no retry.
 *
 * The histories are the same each time. `FC_SEED` makes others, and `FC_RUNS` so many times as many; a failure
 * prints the smallest history that fails, with its seed.
 */

// For machines with more to do.
t.setTimeout(600_000)

/** How long one engine's histories may take, in ms. What fails is made smaller until then. */
const TIME_LIMIT = 45_000

const settings = {
  seed: Number(process.env.FC_SEED ?? 20_260_101),
  times: Number(process.env.FC_RUNS ?? 1),
}

interface Engine {
  readonly runs: number
  /** The two instances' stores: as they are, and as the instances see them. */
  open(t: Test, gate: Gate, keys: SessionKeys): Promise<readonly (readonly [StateStore, StateStore])[]>
}

function shared(store: StateStore, gate: Gate, keys: SessionKeys) {
  const seen = gatedStore(store, gate, keys)
  return [
    [store, seen],
    [store, seen],
  ] as const
}

const ENGINES: Record<string, Engine> = {
  memory: {
    runs: 120,
    async open(_t, gate, keys) {
      return shared(createMemoryStore(), gate, keys)
    },
  },
  SQLite: {
    runs: 24,
    async open(t, gate, keys) {
      const database = await openDatabase(databaseFile(t.testdir()))
      t.teardown(() => database.close())
      return shared(createSqliteStore(database), gate, keys)
    },
  },
  Redis: {
    runs: 80,
    async open(t, gate, keys) {
      const redis = await startRedis()
      t.teardown(() => redis.stop())
      const open = async () => {
        const client = openRedis(redis.url, { commandTimeout: TIME_LIMIT })
        await firstAttempt(client, 5000)
        const options = { commandTimeout: TIME_LIMIT, onClose: () => closeRedis(client) }
        const store = new FollowedStore(gatedClient(client, gate), options)
        t.teardown(() => store.close())
        await store.feed.settle(5000)
        return [store, notedStore(store, gate, keys)] as const
      }
      return [await open(), await open()]
    },
  },
}

async function makeWorld(t: Test, engine: Engine): Promise<World> {
  const [gate, clock, sessionKeys] = [new Gate(), new TestClock(), new Map<string, string>()]
  const accounts = new HistoryAccounts(gate)
  const opened = await engine.open(t, gate, sessionKeys)
  const apps = await Promise.all(opened.map(([, seen]) => historyApp(seen, accounts, clock)))
  t.teardown(() => Promise.all(apps.map((app) => app.close())))
  return { apps, stores: opened.map(([store]) => store), accounts, clock, gate, sessionKeys, runs: 0 }
}

for (const [name, engine] of Object.entries(ENGINES)) {
  test(`over ${name} no history revives, loses an update, takes a retry for theft, or misses a theft`, async (t) => {
    const world = await makeWorld(t, engine)
    const property = fc.asyncProperty(histories, (steps) => new History(world).run(steps))
    await fc.assert(property, {
      seed: settings.seed,
      numRuns: engine.runs * settings.times,
      interruptAfterTimeLimit: TIME_LIMIT * settings.times,
    })
    t.comment(`${world.runs} histories`)
  })
}
