import { setTimeout as delay } from 'node:timers/promises'
import { checkAnswers, watchAnswers } from './check.js'
import type { Contender } from './contender.js'
import { type Client, type Headers, signInAll } from './credentials.js'
import { generateLoad, type Load } from './load.js'
import type { Store } from './redis.js'
import { Server, type StartOptions } from './server.js'
import type { Setting } from './setting.js'
import { newDataDir } from './work-directory.js'

/** What one measurement in one process gave. */
export interface Figures extends Load {
  /** CPU of the server for a request, in microseconds. */
  readonly cpu: number
  /** Commands to Redis for a request, but for what is sent without requests. null where there is no Redis. */
  readonly redis: number | null
}

/** Some answer first and write to Redis after that. In ms. */
const SETTLE = 300

/** Commands in a second without requests: heartbeats. */
async function idleRate(store: Store, seconds: number): Promise<number> {
  await delay(SETTLE)
  const before = await store.commands()
  await delay(seconds * 1000)
  return ((await store.commands()) - before) / seconds
}

/** What a load leads to at Redis, heartbeats taken off. @returns commands for a request */
async function countCommands<T extends Load>(store: Store, idle: number, work: () => Promise<T>) {
  await delay(SETTLE)
  const [before, began] = [await store.commands(), performance.now()]
  const load = await work()
  await delay(SETTLE)
  const own = (await store.commands()) - before - (idle * (performance.now() - began)) / 1000
  return { ...load, redis: Math.max(0, own) / load.requests }
}

const WARM_UP_MAX = 30

/**
 * For the compiler in the engine, and until each credential was asked with twice: what its first use costs, to be verified
 * and to be written that it was seen, would pass for what each use does.
 */
async function warmUp(url: string, headers: readonly Headers[], least: number): Promise<void> {
  for (let seconds = least; seconds <= WARM_UP_MAX; seconds *= 2) {
    const { requests } = await generateLoad(url, headers, seconds)
    if (requests >= 2 * headers.length) return
  }
  throw new Error(`${headers.length} credentials were not used twice each in ${WARM_UP_MAX} s`)
}

/** @throws when an answer was wrong, before the load, during it, or after it */
export async function measure(
  server: Server,
  clients: readonly Client[],
  setting: Setting,
  store: Store | null,
): Promise<Figures> {
  const headers = clients.map((client) => client.headers)
  const url = `${server.origin}/user_info`
  await checkAnswers(server, clients)
  const idle = store ? await idleRate(store, setting.quick ? 0.3 : 0.5) : 0
  await warmUp(url, headers, setting.warmUpSeconds)
  const watched = async () => {
    const endWatch = watchAnswers(server, clients)
    const { cpu: before } = await server.usage()
    const load = await generateLoad(url, headers, setting.seconds)
    const { cpu } = await server.usage()
    await endWatch()
    return { ...load, cpu: (cpu - before) / load.requests }
  }
  const figures = store ? await countCommands(store, idle, watched) : { ...(await watched()), redis: null }
  await checkAnswers(server, clients)
  if (figures.failed > 0)
    throw new Error(`${server.contender.name}: ${figures.failed} of ${figures.requests} failed`)
  return figures
}

/** In a process of its own, with everybody signed in anew. */
export async function measureFresh(
  contender: Contender,
  setting: Setting,
  store: Store,
  options: StartOptions = {},
): Promise<Figures> {
  const env = { REDIS_URL: store.url, DATA_DIR: newDataDir(), ...options.env }
  const server = await Server.start(contender, { ...options, env })
  try {
    const clients = await signInAll(server, setting.users)
    return await measure(server, clients, setting, contender.usesRedis ? store : null)
  } finally {
    await server.stop()
  }
}
