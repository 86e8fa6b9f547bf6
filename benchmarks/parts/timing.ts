import { Agent, request } from 'node:http'
import type { Part } from '../lib/part.js'
import { usernameOf } from '../lib/profile.js'
import { openStore } from '../lib/redis.js'
import { type Goal, goal } from '../lib/report.js'
import type { Server } from '../lib/server.js'
import { median, quantile, welch } from '../lib/statistics.js'
import { addAccounts, PASSWORD, startUserCenter, userCenter } from '../lib/user-center.js'
import { newDataDir } from '../lib/work-directory.js'

const ACCOUNTS = 10
const LIMIT = 4.5

const text = `
This part checks whether the time of a refused login reveals that an account with that name exists. The benchmark tries
unknown names, wrong passwords, and disabled accounts with the right password in turn, in a new order each time. The
second table has Welch's t for each pair. Below ${LIMIT}, the times do not differ measurably.
`.trim()

/** Names of one length, so that all requests have one length. */
const unknownName = (index: number) => usernameOf(1_000_000 + index)
const disabledName = (index: number) => usernameOf(2_000_000 + index)
const each = <T>(of: (index: number) => T) => Array.from({ length: ACCOUNTS }, (_, index) => of(index))

interface Attempt {
  readonly kind: string
  readonly username: (index: number) => string
  readonly password: string
}

const WRONG = PASSWORD.replace(/^./, 'k')

const ATTEMPTS: readonly Attempt[] = [
  { kind: 'unknown user', username: unknownName, password: PASSWORD },
  { kind: 'wrong password', username: usernameOf, password: WRONG },
  { kind: 'disabled account', username: disabledName, password: PASSWORD },
]

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** Milliseconds until the refusal. @throws if it is not refused */
function refusal(server: Server, body: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const began = performance.now()
    const attempt = request(
      `${server.origin}/login_token`,
      { method: 'POST', agent, headers },
      (response) => {
        response.resume().once('end', () => {
          if (response.statusCode === 401) resolve(performance.now() - began)
          else reject(new Error(`a login that must be refused was answered ${response.statusCode}`))
        })
      },
    )
    attempt.once('error', reject).end(text)
  })
}

async function collect(server: Server, count: number): Promise<Map<Attempt, number[]>> {
  const times = new Map(ATTEMPTS.map((attempt) => [attempt, [] as number[]]))
  for (let index = -10; index < count; index++) {
    const turn = Math.abs(index) % ACCOUNTS
    for (const attempt of shuffled(ATTEMPTS)) {
      const { username, password } = attempt
      const time = await refusal(server, { username: username(turn), password })
      if (index >= 0) times.get(attempt)?.push(time)
    }
  }
  return times
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

function judge(times: ReadonlyMap<Attempt, readonly number[]>): Goal[] {
  const all = [...times]
  return all.flatMap(([one, a], index) =>
    all
      .slice(index + 1)
      .map(([other, b]) => goal(`|t| of ${one.kind} and ${other.kind}`, '<', LIMIT, Math.abs(welch(a, b)))),
  )
}

export const timing: Part = {
  name: 'timing',
  async run(setting) {
    const store = await openStore()
    const dataDir = newDataDir()
    await addAccounts(dataDir, ACCOUNTS, each(disabledName))
    const server = await startUserCenter(userCenter('token'), {
      env: { REDIS_URL: store.url, DATA_DIR: dataDir },
    })
    const times = await collect(server, setting.quick ? 20 : 300)
    await server.stop()
    await store.stop()
    const goals = judge(times)
    const rows = [...times].map(([{ kind }, values]) => [
      ...[kind, String(values.length), median(values).toFixed(2)],
      ...[0.25, 0.75].map((share) => quantile(values, share).toFixed(2)),
    ])
    const tables = [
      { columns: ['refused because of', 'logins', 'median ms', 'lower quartile', 'upper quartile'], rows },
      { columns: ['pair', 'value'], rows: goals.map(({ what, measured }) => [what, measured]) },
    ]
    return [{ title: 'What the time of a refused login tells', text, tables, goals }]
  },
}
