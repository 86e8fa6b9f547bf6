import { fork } from 'node:child_process'
import { once } from 'node:events'
import { refOf } from '../lib/lag.js'
import type { Part } from '../lib/part.js'
import { openStore } from '../lib/redis.js'
import { goal } from '../lib/report.js'
import { quantile } from '../lib/statistics.js'
import { openFollowedState } from '../lib/suite-store.js'

const text = `
After the answer to a revocation, another process may still accept the revoked credential for a short time. The table
shows this time. One process revokes. The benchmark asks the other one without a pause, as under full load.
`.trim()

/** Milliseconds of a clock that all processes of a machine share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** @returns the delay of the other process each time (ms), and how often this process was late */
async function measure(count: number, url: string) {
  const store = await openFollowedState(url)
  const generation = await store.generation()
  const other = fork('dist/benchmarks/contenders/lag-listener.js', {
    env: { ...process.env, REDIS_URL: url },
  })
  await once(other, 'message')
  const lags: number[] = []
  let own = 0
  for (let index = 0; index < count; index++) {
    const id = `sign-in-${index}`
    other.send(id)
    await once(other, 'message')
    const refused = once(other, 'message')
    await store.endSignIn('account', id, Date.now() + 3_600_000)
    const answered = now()
    if (store.isLive(refOf(generation, id)) !== false) own++
    const [at] = await refused
    lags.push(Math.max(0, Number(at) - answered))
  }
  other.disconnect()
  await store.close()
  return { lags, own }
}

export const lag: Part = {
  name: 'lag',
  async run(setting) {
    const store = await openStore()
    const { lags, own } = await measure(setting.quick ? 50 : 1000, store.url).finally(() => store.stop())
    const early = lags.filter((late) => late === 0).length
    const row = [lags.length, own, early].map(String)
    const times = [0.5, 0.99, 1].map((share) => quantile(lags, share).toFixed(2))
    const columns = ['revocations', 'accepted after, same process', 'refused elsewhere before the answer']
    const table = { columns: [...columns, 'median ms', 'p99 ms', 'max ms'], rows: [[...row, ...times]] }
    const goals = [goal('revocation elsewhere, p99', '≤', 50, quantile(lags, 0.99), 1, ' ms')]
    return [{ title: 'How late a revocation is elsewhere', text, tables: [table], goals }]
  },
}
