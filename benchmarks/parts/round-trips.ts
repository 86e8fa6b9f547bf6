import { setTimeout as delay } from 'node:timers/promises'
import { startProxy, type TcpProxy } from '../../test/helpers/tcp-proxy.js'
import { CommandLog } from '../lib/command-log.js'
import { MODES, type Mode } from '../lib/contender.js'
import { signIn } from '../lib/credentials.js'
import { type Asked, askedIn } from '../lib/operations.js'
import type { Part } from '../lib/part.js'
import { usernameOf } from '../lib/profile.js'
import { openStore } from '../lib/redis.js'
import { goal } from '../lib/report.js'
import { median } from '../lib/statistics.js'
import { addAccounts, startUserCenter, userCenter } from '../lib/user-center.js'
import { newDataDir } from '../lib/work-directory.js'

/** The number of repetitions. */
const TIMES = 5
/** The added delay of a distant Redis, in ms: more than a busy machine adds by itself. */
const ROUND_TRIP = 100
/** How long feeds and scripts take to settle, in ms. */
const SETTLE = 500
const GOALS = /^(refresh|logout|list)/

const text = `
How often one request of the user center waits for Redis, and which commands it sends. **round trips**: each request is
sent with a near Redis, and again with one that answers ${ROUND_TRIP} ms later. The figure is the additional time
divided by ${ROUND_TRIP} ms. So commands that are sent together count as one, even on several connections. A command
does not count if the answer does not wait for it. **commands**: as \`MONITOR\` reports them, without heartbeats. Calls
inside a script do not count. The requests go to the process that signed the caller in. At another process, a logout
first reads the session, if that process has not seen it in the last five minutes.
`.trim()

interface Cost {
  /** Until the answer, in ms. */
  readonly time: number
  readonly commands: readonly string[]
}

interface Count {
  readonly name: string
  readonly trips: number
  readonly commands: readonly string[]
}

async function costOf({ prepare }: Asked, log: CommandLog): Promise<Cost> {
  const asking = []
  for (let index = 0; index < TIMES; index++) asking.push(await prepare(index))
  await log.take()
  const times: number[] = []
  for (const ask of asking) {
    const began = performance.now()
    await ask()
    times.push(performance.now() - began)
  }
  return { time: median(times), commands: await log.take() }
}

/** First all with a near Redis, then all with a distant one: on the way back, late commands could be overtaken. */
async function countAll(all: readonly Asked[], log: CommandLog, proxy: TcpProxy): Promise<Count[]> {
  const near: Cost[] = []
  for (const asked of all) {
    // After that, Redis has the scripts.
    await costOf(asked, log)
    near.push(await costOf(asked, log))
  }
  proxy.delay(ROUND_TRIP / 2)
  await delay(SETTLE)
  const counts: Count[] = []
  for (const [index, asked] of all.entries()) {
    const { time, commands } = near[index] ?? { time: Number.NaN, commands: [] }
    const far = await costOf(asked, log)
    counts.push({ name: asked.name, trips: Math.round((far.time - time) / ROUND_TRIP), commands })
  }
  return counts
}

async function countMode(mode: Mode, redisUrl: string, log: CommandLog): Promise<Count[]> {
  const dataDir = newDataDir()
  // One account for each, so that ending all other sign-ins ends none that is needed.
  await addAccounts(dataDir, TIMES)
  const proxy = await startProxy(Number(new URL(redisUrl).port))
  const server = await startUserCenter(userCenter(mode), { env: { REDIS_URL: proxy.url, DATA_DIR: dataDir } })
  await signIn(server, usernameOf(0))
  await delay(SETTLE)
  await log.learnNoise()
  const counts = await countAll(askedIn(mode, server), log, proxy)
  await server.stop()
  await proxy.close()
  return counts
}

const rowOf = ({ name, trips, commands }: Count) => [
  ...[name, String(trips), (commands.length / TIMES).toFixed(1)],
  [...new Set(commands)].join(' '),
]

export const roundTrips: Part = {
  name: 'round-trips',
  async run() {
    const store = await openStore()
    const log = await CommandLog.open(store)
    const counts: Count[] = []
    for (const mode of MODES) counts.push(...(await countMode(mode, store.url, log)))
    log.close()
    await store.stop()
    const goals = counts
      .filter(({ name }) => GOALS.test(name))
      .map(({ name, trips }) => goal(`${name}: round trips to Redis`, '≤', 1, trips, 0))
    const columns = ['request', 'round trips', 'commands', 'which']
    return [{ title: 'Round trips to Redis', text, tables: [{ columns, rows: counts.map(rowOf) }], goals }]
  },
}
