import { setTimeout as delay } from 'node:timers/promises'
import { checkAnswers, watchAnswers } from './check.js'
import type { Contender } from './contender.js'
import { type Client, type Headers, signInAll } from './credentials.js'
import { generateLoad, type Load } from './load.js'
import type { Store } from './redis.js'
import { Server, type StartOptions } from './server.js'
import type { Setting } from './setting.js'
import { newDataDir } from './work-directory.js'

/** The result of one measurement in one process. */
export interface Figures extends Load {
  /** CPU of the server for a request, in microseconds. */
  readonly cpu: number
  /** Commands to Redis for a request, without those that are sent without requests. null without Redis. */
  readonly redis: number | null
}

/** Some contenders write to Redis after the answer. In ms. */
const SETTLE = 300

/** Commands in a second without requests: heartbeats. */
async function idleRate(store: Store, seconds: number): Promise<number> {
  await delay(SETTLE)
  const before = await store.commands()
  await delay(seconds * 1000)
  return ((await store.commands()) - before) / seconds
}

/** @returns commands to Redis for one request of a load, without heartbeats */
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
 * Warms up the compiler, and uses each credential twice: the first use verifies it and writes that it was seen, which later
 * uses do not.
 */
async function warmUp(url: string, headers: readonly Headers[], least: number): Promise<void> {
  for (let seconds = least; seconds <= WARM_UP_MAX; seconds *= 2) {
    const { requests } = await generateLoad(url, headers, seconds)
    if (requests >= 2 * headers.length) return
  }
  throw new Error(`${headers.length} credentials were not used twice each in ${WARM_UP_MAX} s`)
}

/** @throws if an answer was wrong before, during or after the load */
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

/** In its own process, with new sign-ins of all users. */
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
