import { setTimeout as delay } from 'node:timers/promises'
import { passwords } from '../../plugins/lib/accounts/passwords.js'
import { signIn } from '../lib/credentials.js'
import type { Part } from '../lib/part.js'
import { type Probed, startProber } from '../lib/prober.js'
import { usernameOf } from '../lib/profile.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal, type Table, whole } from '../lib/report.js'
import type { Server } from '../lib/server.js'
import { CORES, type Setting } from '../lib/setting.js'
import { quantile } from '../lib/statistics.js'
import { addAccounts, PASSWORD, startUserCenter, userCenter } from '../lib/user-center.js'
import { newDataDir } from '../lib/work-directory.js'

const ACCOUNTS = 10
const FLOOD = 500
const HASHES = 20

const text = `
The user center on all cores. The load generator and Redis share the last one. **ceiling** is the number of cores
divided by the CPU time of one hash. No server can exceed it without weaker hashes, and none can reach it if it does any
other work on these cores. Then ${FLOOD} logins arrive at once, and again as soon as they are answered. Meanwhile
another client requests other routes (\`/user_info\`, \`/healthz\`) every 5 ms. The table shows how long those wait, how
many logins are refused (503), and the peak of memory.
`.trim()

/** This many logins at once, again and again, for this long. */
interface Flood {
  readonly seconds: number
  readonly size: number
}

/** CPU seconds of one hash. */
async function costOfHash(): Promise<number> {
  await passwords.hash(PASSWORD)
  const before = process.cpuUsage()
  for (let index = 0; index < HASHES; index++) await passwords.hash(PASSWORD)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6 / HASHES
}

/** The status of one login. */
async function login(server: Server, index: number): Promise<number> {
  const body = JSON.stringify({ username: usernameOf(index % ACCOUNTS), password: PASSWORD })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${server.origin}/login_token`, { method: 'POST', headers, body })
  await response.arrayBuffer()
  return response.status
}

/** Logins a second, with enough at once to keep every core busy. */
async function rateOf(server: Server, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000
  let granted = 0
  async function go(first: number): Promise<void> {
    for (let index = first; performance.now() < end; index++)
      if ((await login(server, index)) === 200) granted++
  }
  await Promise.all(Array.from({ length: 2 * CORES }, (_, first) => go(first)))
  return granted / seconds
}

async function flood(server: Server, { seconds, size }: Flood): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  const end = performance.now() + seconds * 1000
  do {
    const all = await Promise.all(Array.from({ length: size }, (_, index) => login(server, index)))
    for (const status of all) statuses.set(status, (statuses.get(status) ?? 0) + 1)
  } while (performance.now() < end)
  return statuses
}

async function probe(server: Server, meanwhile: () => Promise<unknown>): Promise<Probed> {
  const { headers } = await signIn(server, usernameOf(0))
  const prober = await startProber([`${server.origin}/user_info`, `${server.origin}/healthz`], headers)
  await meanwhile()
  return prober.stop()
}

async function measureFlood(server: Server, load: Flood) {
  const calm = await probe(server, () => delay(load.seconds * 1000))
  const before = (await server.usage()).peak
  let statuses = new Map<number, number>()
  const busy = await probe(server, async () => {
    statuses = await flood(server, load)
  })
  return { ...load, calm, busy, statuses, before, peak: (await server.usage()).peak }
}

function floodTable({
  size,
  calm,
  busy,
  statuses,
  before,
  peak,
}: Awaited<ReturnType<typeof measureFlood>>): Table {
  const row = (what: string, { latencies, failures }: Probed, memory: number) => [
    ...[what, ...[0.5, 0.99, 1].map((share) => quantile(latencies, share).toFixed(1))],
    String(failures.length),
    (memory / 2 ** 20).toFixed(0),
  ]
  const counts = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
  return {
    columns: ['other routes', 'p50 ms', 'p99 ms', 'max ms', 'without a 200', 'memory peak MiB'],
    rows: [row('no logins', calm, before), row(`${size} logins at once: ${counts}`, busy, peak)],
  }
}

async function run(setting: Setting, store: Store) {
  const dataDir = newDataDir()
  await addAccounts(dataDir, ACCOUNTS)
  const env = { REDIS_URL: store.url, DATA_DIR: dataDir }
  const server = await startUserCenter(userCenter('token'), { env, cores: 'all' })
  const seconds = setting.quick ? 1 : 8
  const hash = await costOfHash()
  const rate = await rateOf(server, seconds)
  const flooded = await measureFlood(server, { seconds, size: setting.quick ? 50 : FLOOD })
  await server.stop()
  const ceiling = CORES / hash
  const rateTable: Table = {
    columns: ['CPU of a hash ms', 'ceiling a second', 'logins a second', 'share'],
    rows: [[(hash * 1000).toFixed(1), whole(ceiling), whole(rate), (rate / ceiling).toFixed(2)]],
  }
  const goals = [
    goal(
      'p99 of other routes while 500 logins arrive at once',
      '≤',
      50,
      quantile(flooded.busy.latencies, 0.99),
      1,
      ' ms',
    ),
  ]
  return [{ title: 'Login', text, tables: [rateTable, floodTable(flooded)], goals }]
}

export const loginPart: Part = {
  name: 'login',
  async run(setting) {
    const store = await openStore()
    return run(setting, store).finally(() => store.stop())
  },
}
