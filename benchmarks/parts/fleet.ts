import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Part } from '../lib/part.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal, whole } from '../lib/report.js'

const text = `
The cost of idle instances: heartbeats, the feed, and the check of replicas. The benchmark starts the suite's own stores, each
with its two connections, several in one process. CPU is time of one core, as Redis and the processes report it. The last line
is calculated: the cost of 1 000 instances at the rate of 80.
`.trim()

const SIZES = [20, 40, 80]
const ON_PAPER = 1000
const IN_A_PROCESS = 20

/** The cost of a fleet: commands a second, and shares of a core. */
interface Cost {
  readonly size: number
  readonly commands: number
  readonly redis: number
  readonly instance: number
}

interface Usage {
  /** Of the process, in microseconds. */
  readonly cpu: number
  /** How many of its instances trust their own copy. */
  readonly healthy: number
}

function isUsage(message: unknown): message is Usage {
  return typeof message === 'object' && message !== null && 'cpu' in message && 'healthy' in message
}

async function usageOf(member: ChildProcess): Promise<Usage> {
  const answered = once(member, 'message')
  member.send('usage')
  const [message] = await answered
  if (!isUsage(message)) throw new Error('A member did not say what it costs.')
  return message
}

/** CPU seconds of Redis, including system time. */
async function redisCpu({ client }: Store): Promise<number> {
  const times = (await client.info('cpu')).matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)
  return [...times].reduce((sum, [, seconds]) => sum + Number(seconds), 0)
}

async function measure(size: number, seconds: number, store: Store): Promise<Cost> {
  const env = { ...process.env, REDIS_URL: store.url, INSTANCES: String(IN_A_PROCESS) }
  const members = Array.from({ length: size / IN_A_PROCESS }, () =>
    fork('dist/benchmarks/contenders/fleet-member.js', { env }),
  )
  await Promise.all(members.map((member) => once(member, 'message')))
  await delay(2000)
  const look = async () => {
    const usages = await Promise.all(members.map(usageOf))
    const own = usages.reduce((sum, { cpu }) => sum + cpu, 0) / 1e6
    const healthy = usages.reduce((sum, usage) => sum + usage.healthy, 0)
    return {
      at: performance.now(),
      own,
      healthy,
      commands: await store.commands(),
      redis: await redisCpu(store),
    }
  }
  const before = await look()
  await delay(seconds * 1000)
  const after = await look()
  for (const member of members) member.disconnect()
  if (after.healthy < size) throw new Error(`Only ${after.healthy} of ${size} hear of revocations.`)
  const took = (after.at - before.at) / 1000
  return {
    size,
    commands: (after.commands - before.commands) / took,
    redis: (after.redis - before.redis) / took,
    instance: (after.own - before.own) / took / size,
  }
}

/** The calculated cost of a larger fleet. */
function extrapolate({ size, commands, redis, instance }: Cost): Cost {
  const times = ON_PAPER / size
  return { size: ON_PAPER, commands: commands * times, redis: redis * times, instance }
}

export const fleet: Part = {
  name: 'fleet',
  async run(setting, tell) {
    const store = await openStore()
    const costs: Cost[] = []
    try {
      for (const size of SIZES) {
        tell(`  ${size} instances`)
        costs.push(await measure(size, setting.quick ? 3 : 20, store))
      }
    } finally {
      await store.stop()
    }
    const [first, last] = [costs[0], costs.at(-1)]
    if (!first || !last) throw new Error('Too few fleets were measured.')
    const percent = (share: number) => `${(share * 100).toFixed(2)} %`
    const rows = [...costs, extrapolate(last)].map(({ size, commands, redis, instance }) => [
      size === ON_PAPER ? `${whole(size)}, on paper` : String(size),
      whole(commands),
      percent(redis),
      percent(instance),
    ])
    const columns = ['instances', 'commands a second', 'of a Redis core', 'of a core, each instance']
    const growth = last.commands / last.size / (first.commands / first.size)
    const goals = [
      goal('80 idle instances: share of a Redis core', '≤', 4, last.redis * 100, 2, ' %'),
      goal('an idle instance among 80: share of a core', '≤', 0.6, last.instance * 100, 2, ' %'),
      goal('commands of an instance among 80, as against 20', '≤', 1.1, growth, 2, ' ×'),
    ]
    return [{ title: 'A fleet that does nothing', text, tables: [{ columns, rows }], goals }]
  },
}
