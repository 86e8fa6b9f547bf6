import { bare, contenders, MODES, type Mode } from '../lib/contender.js'
import type { Part } from '../lib/part.js'
import { openStore } from '../lib/redis.js'
import { type Goal, goal, type Section, whole } from '../lib/report.js'
import { measureFresh } from '../lib/round.js'
import { CELL_NAMES, cellsOf, measureRounds, type Result, type Round, resultOf } from '../lib/rounds.js'
import { CONNECTIONS } from '../lib/setting.js'

const GOALS: Record<Mode, number> = { cookie: 0.93, session: 0.93, token: 0.9 }

/** Results of the last run, for the plot. */
export const compared: Result[] = []

const text = `
\`GET /user_info\` for a signed-in user, over ${CONNECTIONS} connections, with the credentials of many users in turn.
**ratio** is the throughput as a share of the bare Fastify route's in the same round. Both have the same body and
response schema. So the ratio is the throughput that remains when a guard recognises the caller. **Redis** counts
the commands for a request. It leaves out heartbeats, and the write of the last use (once a minute for each credential).
**bytes** is the size of an answer with its headers. **CPU** is the server's time for a request. **sign-out** says how
soon a signed-out credential is refused. A contender that never refuses one has less to do. The bare route is sent no
credential. The row below it shows the cost of only receiving one. Each figure is a median over processes. Before,
during and after each load, the benchmark checks answers: the status, the body, and whom they name. It also checks that
requests without a credential, or with an altered one, are refused.
`.trim()

function rowOf(result: Result): string[] {
  return [
    result.contender.name,
    ...cellsOf(result),
    whole(result.figures.perSecond),
    result.contender.signOut,
  ]
}

function goalsOf(results: readonly Result[]): Goal[] {
  return results
    .filter(({ contender }) => contender.name.startsWith('fastify-identity'))
    .flatMap(({ contender: { name, mode, usesRedis }, ratio, p99Ratio, figures }) => [
      goal(`${name}: ratio`, '≥', GOALS[MODES.find((known) => known === mode) ?? 'cookie'], ratio[1]),
      goal(`${name}: p99`, '≤', 1.3, p99Ratio, 2, ' ×'),
      // A sign-in's last-seen is written once a minute at most.
      ...(usesRedis ? [goal(`${name}: Redis commands a request`, '≤', 0.005, figures.redis ?? 0, 4)] : []),
    ])
}

function failuresOf(rounds: readonly Round[]): string {
  const failed = new Map<string, string>()
  for (const round of rounds) {
    for (const [{ name }, figures] of round) if (figures instanceof Error) failed.set(name, figures.message)
  }
  const lines = [...failed].map(([name, why]) => `- ${name} was not measured: ${why.split('\n')[0]}`)
  return lines.length > 0 ? `\n\n${lines.join('\n')}` : ''
}

function generatorNote(results: readonly Result[]): string {
  const most = Math.max(...results.map(({ figures }) => figures.generator))
  return `\n\nThe load generator used at most ${(most * 100).toFixed(0)} % of its core.`
}

export const compare: Part = {
  name: 'compare',
  async run(setting, tell): Promise<readonly Section[]> {
    const store = await openStore()
    const once = async (contender: (typeof contenders)[number]) => {
      await store.client.flushall()
      return measureFresh(contender, setting, store)
    }
    const rounds = await measureRounds(contenders, setting.rounds, once, tell).finally(() => store.stop())
    const results = contenders.map((one) => resultOf(one, bare, rounds)).filter((result) => result !== null)
    compared.splice(0, compared.length, ...results)
    return [
      {
        title: 'What it costs to know who is asking',
        text: text + generatorNote(results) + failuresOf(rounds),
        tables: [{ columns: ['contender', ...CELL_NAMES, 'a second', 'sign-out'], rows: results.map(rowOf) }],
        goals: goalsOf(results),
      },
    ]
  },
}
