import { setTimeout as delay } from 'node:timers/promises'
import { CommandLog } from '../lib/command-log.js'
import { MODES, type Mode } from '../lib/contender.js'
import { type Client, signIn } from '../lib/credentials.js'
import type { Part } from '../lib/part.js'
import { usernameOf } from '../lib/profile.js'
import { openStore } from '../lib/redis.js'
import { goal } from '../lib/report.js'
import type { Server } from '../lib/server.js'
import { addAccounts, startUserCenter, userCenter } from '../lib/user-center.js'
import { newDataDir } from '../lib/work-directory.js'

/** How often each is done. */
const TIMES = 5
const GOALS = /^(refresh|logout|list)/

const text = `
Commands that Redis was sent for one request of the user center, as MONITOR saw them, without heartbeats: each is a round
trip, unless it went out together with another one. What a script does inside Redis is none.
`.trim()

interface Operation {
  readonly name: string
  readonly mode: Mode
  readonly send: (server: Server, client: Client) => Promise<Response>
}

function post(path: string, bodyOf: (client: Client) => object = () => ({})): Operation['send'] {
  return (server, client) =>
    fetch(server.origin + path, {
      method: 'POST',
      headers: { ...client.headers, 'content-type': 'application/json' },
      body: JSON.stringify(bodyOf(client)),
    })
}

const call =
  (path: string, method = 'GET'): Operation['send'] =>
  (server, { headers }) =>
    fetch(server.origin + path, { method, headers })

const OPERATIONS: readonly Operation[] = [
  ...MODES.map((mode) => ({ name: `who am I, ${mode}`, mode, send: call('/user_info') })),
  { name: 'list', mode: 'cookie', send: call('/sign_ins') },
  { name: 'end all others', mode: 'cookie', send: call('/sign_ins?except=current', 'DELETE') },
  {
    name: 'refresh',
    mode: 'token',
    send: post('/refresh_token', (client) => ({ refresh_token: client.refreshToken })),
  },
  ...MODES.map((mode) => ({ name: `logout, ${mode}`, mode, send: post(`/logout_${mode}`) })),
]

interface Count {
  readonly name: string
  readonly each: number
  readonly commands: string
}

async function count(
  name: string,
  log: CommandLog,
  work: (index: number) => Promise<unknown>,
): Promise<Count> {
  await log.take()
  for (let index = 0; index < TIMES; index++) await work(index)
  const commands = await log.take()
  return { name, each: commands.length / TIMES, commands: [...new Set(commands)].join(' ') }
}

/** With an account for each, so that ending all others ends nobody who is needed. */
async function countOperation(server: Server, log: CommandLog, operation: Operation): Promise<Count> {
  const clients: Client[] = []
  for (let index = 0; index < TIMES; index++) clients.push(await signIn(server, usernameOf(index)))
  return count(operation.name, log, async (index) => {
    const client = clients[index]
    const response = client && (await operation.send(server, client))
    if (response?.status !== 200) throw new Error(`${operation.name} was answered ${response?.status}`)
    await response.arrayBuffer()
  })
}

async function countMode(mode: Mode, redisUrl: string, log: CommandLog): Promise<Count[]> {
  const dataDir = newDataDir()
  await addAccounts(dataDir, TIMES)
  const server = await startUserCenter(userCenter(mode), { env: { REDIS_URL: redisUrl, DATA_DIR: dataDir } })
  // Twice, so that Redis knows the scripts.
  await signIn(server, usernameOf(0))
  await delay(500)
  await log.learnNoise()
  const counts = [await count(`login, ${mode}`, log, (index) => signIn(server, usernameOf(index)))]
  for (const operation of OPERATIONS.filter((one) => one.mode === mode)) {
    await countOperation(server, log, operation)
    counts.push(await countOperation(server, log, operation))
  }
  await server.stop()
  return counts
}

export const roundTrips: Part = {
  name: 'round-trips',
  async run() {
    const store = await openStore()
    const log = await CommandLog.open(store)
    const counts: Count[] = []
    for (const mode of MODES) counts.push(...(await countMode(mode, store.url, log)))
    log.close()
    await store.stop()
    const rows = counts.map(({ name, each, commands }) => [name, each.toFixed(1), commands])
    const goals = counts
      .filter(({ name }) => GOALS.test(name))
      .map(({ name, each }) => goal(`${name}: commands to Redis`, '≤', 1, each, 1))
    return [
      {
        title: 'Round trips to Redis',
        text,
        tables: [{ columns: ['request', 'commands', 'which'], rows }],
        goals,
      },
    ]
  },
}
