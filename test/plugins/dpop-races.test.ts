import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'
import type { TokenPair } from '../../plugins/token-auth.js'
import { TestClock } from '../helpers/clock.js'
import { boundClient } from '../helpers/dpop.js'
import { caughtUp, openFollowed } from '../helpers/followed.js'
import { startRedis } from '../helpers/redis-server.js'
import { ALICE, tokenApp } from '../helpers/token-app.js'

/** `FC_RUNS=50` makes it 10 000. */
const ROUNDS = 200 * Number(process.env.FC_RUNS ?? 1)

// For machines with more to do.
t.setTimeout(600_000)

type App = Awaited<ReturnType<typeof tokenApp>>

/** Two instances, or one twice. */
interface Instances {
  readonly here: App
  readonly there: App
  /** Waits until `here` has heard of all that `there` has ended. */
  readonly heard: () => Promise<void>
}

const token = { dpop: { origins: ['https://example.com'] } }

async function onSqlite(t: Test): Promise<Instances> {
  const database = await openDatabase(databaseFile(t.testdir()))
  t.teardown(() => database.close())
  const app = await tokenApp(t, { store: createSqliteStore(database), token })
  return { here: app, there: app, heard: async () => {} }
}

async function onRedis(t: Test, count: 1 | 2): Promise<Instances> {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const clock = new TestClock()
  const open = async () => {
    const { store } = await openFollowed(t, server.url, { commandTimeout: 10_000 })
    return { store, app: await tokenApp(t, { store, clock, token }) }
  }
  const here = await open()
  const there = count === 1 ? here : await open()
  return { here: here.app, there: there.app, heard: () => caughtUp(there.store, here.store) }
}

const PLACES: Readonly<Record<string, (t: Test) => Promise<Instances>>> = {
  SQLite: onSqlite,
  Redis: (t) => onRedis(t, 1),
  'two instances on Redis': (t) => onRedis(t, 2),
}

const ENDS: readonly ((app: App, pair: TokenPair) => Promise<unknown>)[] = [
  ({ post }, pair) => post('/logout', {}, { authorization: `DPoP ${pair.token}` }),
  ({ post }, pair) => post('/revoke', { token: pair.refreshToken }),
  ({ app }) => app.signIns.endAll(ALICE.id),
]

/** More turns than a refresh takes where nothing is slow. */
const TURNS = 14

/** What still works of a pair, on an instance, with proofs by its key. */
async function worksOf(app: App, client: ReturnType<typeof boundClient>, pair: TokenPair): Promise<string[]> {
  const at = boundClient(app.app, client.key)
  const [me, refreshed] = [await at.me(pair.token), await at.refresh(pair.refreshToken)]
  return [me, refreshed].filter(({ statusCode }) => statusCode !== 401).map(({ body }) => body)
}

async function race({ here, there, heard }: Instances, round: number) {
  const client = boundClient(here.app)
  const pair = await client.login(ALICE)
  const end = ENDS[round % ENDS.length]
  const turns = round % TURNS
  // In every other round after the last turn, the end comes first.
  const isLate = turns === TURNS - 1
  if (isLate) await end?.(there, pair)
  const underWay = client.refresh(pair.refreshToken)
  for (let turn = 0; turn < turns; turn++) await nextTurn()
  if (!isLate) await end?.(there, pair)
  const answer = await underWay
  await heard()
  const pairs = answer.statusCode === 200 ? [pair, answer.json()] : [pair]
  const works: string[] = []
  for (const app of [here, there]) for (const each of pairs) works.push(...(await worksOf(app, client, each)))
  return { isGranted: answer.statusCode === 200, isLate: isLate && answer.statusCode === 200, works }
}

for (const [name, open] of Object.entries(PLACES))
  t.test(`a bound refresh under way undoes no sign-out: ${name}`, async (t) => {
    const instances = await open(t)
    const outcomes = { granted: 0, late: 0, undone: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const { isGranted, isLate, works } = await race(instances, round)
      outcomes.granted += Number(isGranted)
      outcomes.late += Number(isLate)
      outcomes.undone += Number(works.length > 0)
    }
    t.ok(outcomes.granted > 0 && outcomes.granted < ROUNDS, `${outcomes.granted} of ${ROUNDS} came first`)
    t.equal(outcomes.undone, 0)
    t.equal(outcomes.late, 0, 'what is asked for after the end is refused')
  })
