import { addRevocations } from '../lib/bulk.js'
import { type Contender, MODES, suite } from '../lib/contender.js'
import { signInAll } from '../lib/credentials.js'
import { casesFor, fewer, measureCases, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal, type Table, whole } from '../lib/report.js'
import { measureFresh } from '../lib/round.js'
import type { Result } from '../lib/rounds.js'
import { Server } from '../lib/server.js'
import type { Setting } from '../lib/setting.js'
import { withState } from '../lib/suite-store.js'

const text = `
The same with this many remembered revocations. Each process holds all of them in memory. The second table shows their
memory in Redis and in the process, and how long a process takes to start.
`.trim()

interface Cost {
  readonly count: number
  readonly start: number
  readonly heap: number
  readonly redis: number
}

/** The entries at the start of a process, and how long loading them takes (ms). */
async function costOf(count: number, store: Store): Promise<Cost> {
  const began = performance.now()
  const server = await Server.start(suite('cookie', 'Redis'), { env: { REDIS_URL: store.url } })
  const start = performance.now() - began
  await signInAll(server, 1)
  const heap = await server.heap()
  await server.stop()
  return { count, start, heap, redis: await store.memory() }
}

function costTable(costs: readonly Cost[]): Table {
  const [first] = costs
  const rows = costs.map(({ count, start, heap, redis }) => {
    const more = count - (first?.count ?? 0)
    const each = (now: number, then: number) => (more > 0 ? ((now - then) / more).toFixed(0) : '–')
    return [
      ...[whole(count), start.toFixed(0), (heap / 2 ** 20).toFixed(1)],
      ...[each(heap, first?.heap ?? 0), each(redis, first?.redis ?? 0)],
    ]
  })
  const columns = ['revocations', 'start ms', 'heap MiB', 'bytes of heap each', 'bytes of Redis each']
  return { columns, rows }
}

async function grow(setting: Setting, store: Store, tell: (line: string) => void) {
  const costs: Cost[] = []
  const bySize: Result[][] = []
  let count = 0
  for (const size of setting.sizes) {
    await withState({ redisUrl: store.url }, (state) => addRevocations(state, size - count))
    count = size
    costs.push(await costOf(size, store))
    const cases = casesFor(
      MODES.map((mode) => suite(mode, 'Redis')),
      `${whole(size)} revocations`,
    )
    const once = (contender: Contender) => measureFresh(contender, setting, store)
    bySize.push(await measureCases(cases, fewer(setting.rounds), once, tell))
  }
  return { costs, bySize }
}

export const revocations: Part = {
  name: 'revocations',
  async run(setting, tell) {
    const store = await openStore()
    try {
      const { costs, bySize } = await grow(setting, store, tell)
      const first = bySize[0] ?? []
      const goals = (bySize.at(-1) ?? []).map(({ contender, ratio }, index) =>
        goal(
          `${contender.name}: share of the ratio at the fewest`,
          '≥',
          0.9,
          ratio[1] / (first[index]?.ratio[1] ?? 1),
        ),
      )
      return [{ title: 'Revocations', text, tables: [resultTable(bySize.flat()), costTable(costs)], goals }]
    } finally {
      await store.stop()
    }
  },
}
