import { addSignIns } from '../lib/bulk.js'
import { type Contender, MODES, suite } from '../lib/contender.js'
import { type Client, signInAll } from '../lib/credentials.js'
import { casesFor, fewer, measureCases, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal, whole } from '../lib/report.js'
import { type Figures, measure } from '../lib/round.js'
import type { Result } from '../lib/rounds.js'
import { Server } from '../lib/server.js'
import type { Setting } from '../lib/setting.js'
import { withState } from '../lib/suite-store.js'
import { newDataDir } from '../lib/work-directory.js'

type State = 'Redis' | 'SQLite'

const text = `
The same as above with this many live sign-ins. The state is loaded once, and a fresh process serves it for each figure.
Up to 20 000 credentials of each mode are used in turn. The other sign-ins are idle.
`.trim()

/** State that outlives the measured processes, and its signed-in users. */
class LoadedState {
  readonly #clients = new Map<string, readonly Client[]>()
  #count = 0
  readonly #env: Readonly<Record<string, string>>

  constructor(
    private readonly state: State,
    private readonly store: Store,
    private readonly dataDir = newDataDir(),
  ) {
    this.#env = { REDIS_URL: store.url, DATA_DIR: dataDir }
  }

  async growTo(size: number, hot: number): Promise<void> {
    for (const mode of MODES) await this.#signIn(suite(mode, this.state), Math.min(hot, Math.floor(size / 3)))
    const place = this.state === 'Redis' ? { redisUrl: this.store.url } : { dataDir: this.dataDir }
    const missing = Math.max(0, size - this.#count)
    await withState(place, (store) => addSignIns(store, missing, 'cookie', this.#count))
    this.#count += missing
  }

  async measure(contender: Contender, setting: Setting): Promise<Figures> {
    const server = await Server.start(contender, { env: this.#env })
    try {
      const clients = this.#clients.get(contender.mode)
      const own = contender.guarded && clients ? clients : await signInAll(server, setting.users)
      return await measure(server, own, setting, contender.usesRedis ? this.store : null)
    } finally {
      await server.stop()
    }
  }

  async #signIn(contender: Contender, count: number): Promise<void> {
    if (this.#clients.get(contender.mode)?.length === count) return
    const server = await Server.start(contender, { env: this.#env })
    this.#clients.set(contender.mode, await signInAll(server, count))
    this.#count += count
    await server.stop()
  }
}

async function grow(state: State, setting: Setting, store: Store, tell: (line: string) => void) {
  const loaded = new LoadedState(state, store)
  const contenders = MODES.map((mode) => suite(mode, state))
  const bySize: Result[][] = []
  for (const size of setting.sizes) {
    await loaded.growTo(size, setting.hot)
    const cases = casesFor(contenders, `${whole(size)} sign-ins`)
    const once = (contender: Contender) => loaded.measure(contender, setting)
    bySize.push(await measureCases(cases, fewer(setting.rounds), once, tell))
  }
  return bySize
}

/** The ratio at the most sign-ins, as a share of that at the fewest. */
function goalsOf(bySize: readonly Result[][]) {
  const [few = [], many = []] = [bySize[0], bySize.at(-1)]
  return many.map(({ contender, ratio }, index) =>
    goal(
      `${contender.name}: share of the ratio at the fewest`,
      '≥',
      0.9,
      ratio[1] / (few[index]?.ratio[1] ?? 1),
    ),
  )
}

export const signIns: Part = {
  name: 'sign-ins',
  async run(setting, tell) {
    const store = await openStore()
    try {
      const redis = await grow('Redis', setting, store, tell)
      const sqlite = await grow('SQLite', setting, store, tell)
      const tables = [resultTable(redis.flat()), resultTable(sqlite.flat())]
      return [{ title: 'Live sign-ins', text, tables, goals: [...goalsOf(redis), ...goalsOf(sqlite)] }]
    } finally {
      await store.stop()
    }
  },
}
