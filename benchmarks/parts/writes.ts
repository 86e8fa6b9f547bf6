import { type Contender, MODES, suite } from '../lib/contender.js'
import { casesFor, fewer, measureCases, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { openStore } from '../lib/redis.js'
import { goal, whole } from '../lib/report.js'
import { measureFresh } from '../lib/round.js'
import { Server } from '../lib/server.js'

const WRITES = 5000

const writer: Contender = {
  name: 'the writer',
  start: ['dist/benchmarks/contenders/writer.js'],
  guarded: false,
  signOut: '–',
  usesRedis: true,
  mode: 'none',
}

const written = async (server: Server) => Number(await (await fetch(server.origin)).text())

/** Commands to Redis are not counted: their senders cannot be told apart. */
const contenders = MODES.map((mode) => ({ ...suite(mode, 'Redis'), usesRedis: false }))

export const writes: Part = {
  name: 'writes',
  async run(setting, tell) {
    const store = await openStore()
    const quiet = casesFor(contenders, 'nobody else')
    const busy = casesFor(contenders, `${whole(WRITES)} writes a second by others`)
    const once = (contender: Contender) => measureFresh(contender, setting, store)
    try {
      const before = await measureCases(quiet, fewer(setting.rounds), once, tell)
      const env = { REDIS_URL: store.url, WRITES: String(WRITES) }
      const server = await Server.start(writer, { env, cores: 'load' })
      const [began, first] = [performance.now(), await written(server)]
      const after = await measureCases(busy, fewer(setting.rounds), once, tell)
      const rate = ((await written(server)) - first) / ((performance.now() - began) / 1000)
      await server.stop()
      const goals = after.map(({ contender, ratio }, index) =>
        goal(
          `${contender.name}: share of the ratio without`,
          '≥',
          0.9,
          ratio[1] / (before[index]?.ratio[1] ?? 1),
        ),
      )
      const made = goal('writes a second made by the other process', '≥', WRITES * 0.95, rate, 0)
      const text = `Another process writes ${whole(rate)} times a second: it creates and renews sessions, and one write in a hundred is a revocation.`
      return [
        {
          title: 'Writes by others',
          text,
          tables: [resultTable([...before, ...after])],
          goals: [made, ...goals],
        },
      ]
    } finally {
      await store.stop()
    }
  },
}
