import { atOnce } from '../lib/at-once.js'
import { bare, type Contender, MODES } from '../lib/contender.js'
import { type Client, signIn, signInAll } from '../lib/credentials.js'
import { type Case, measureCases, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { usernameOf } from '../lib/profile.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal } from '../lib/report.js'
import { type Figures, measure } from '../lib/round.js'
import type { Setting } from '../lib/setting.js'
import { addAccounts, startUserCenter, userCenter } from '../lib/user-center.js'
import { newDataDir } from '../lib/work-directory.js'

const ACCOUNTS = 10

const text = `
The user center as \`npm start\` runs it in production: on Redis, with its headers and its log (to \`/dev/null\`).
Beside it runs a bare Fastify with the same log, body and headers, set by the same hook. The user center's route also looks
up the profile in the accounts.
`.trim()

const reference: Contender = {
  ...bare,
  name: 'bare Fastify, same log and headers',
  start: ['dist/benchmarks/contenders/bare-logged.js'],
}

const cases: readonly Case[] = MODES.map((mode) => ({ label: mode, reference, contender: userCenter(mode) }))

/** The number of credentials. A few accounts share them, because each login costs a hash. */
function signInSome(
  contender: Contender,
  count: number,
  server: Parameters<typeof signIn>[0],
): Promise<Client[]> {
  if (!contender.guarded) return signInAll(server, count)
  return atOnce(4, count, (index) => signIn(server, usernameOf(index % ACCOUNTS)))
}

async function once(contender: Contender, setting: Setting, store: Store): Promise<Figures> {
  const dataDir = newDataDir()
  await addAccounts(dataDir, contender.guarded ? ACCOUNTS : 0)
  const env = { REDIS_URL: store.url, DATA_DIR: dataDir }
  const server = await startUserCenter(contender, { env })
  try {
    const clients = await signInSome(contender, setting.users, server)
    return await measure(server, clients, setting, contender.usesRedis ? store : null)
  } finally {
    await server.stop()
  }
}

export const endToEnd: Part = {
  name: 'end-to-end',
  async run(setting, tell) {
    const store = await openStore()
    const measured = measureCases(cases, setting.rounds, (contender) => once(contender, setting, store), tell)
    const results = await measured.finally(() => store.stop())
    const goals = results.map(({ contender, ratio }) => goal(`${contender.name}: ratio`, '≥', 0.8, ratio[1]))
    return [{ title: 'The user center, end to end', text, tables: [resultTable(results)], goals }]
  },
}
