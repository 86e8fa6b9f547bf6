import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { startRedis } from './redis-server.js'
import { type CenterClock, makeDataDir, startUserCenter, testClock } from './user-center.js'

type Env = Record<string, string>

interface Instance {
  readonly app: FastifyInstance
  readonly origin: string
}

/** One of several places behind a balancer: it holds an instance, or is being restarted. */
class Place {
  instance: Instance | null = null
  #running = 0
  #idle = () => {}

  /** While it lasts, the instance is not stopped. */
  async use<T>(instance: Instance, work: (instance: Instance) => Promise<T>): Promise<T> {
    this.#running++
    try {
      return await work(instance)
    } finally {
      this.#running--
      if (this.#running === 0) this.#idle()
    }
  }

  /** Takes it out: what runs there ends, nothing new begins. */
  async stop(): Promise<void> {
    const { instance } = this
    this.instance = null
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    await instance?.app.close()
  }
}

/** What runs while instances are restarted. */
interface Load {
  start(): void
  stop(): Promise<void>
  /** Waits until it has run for a while. */
  round(): Promise<void>
}

/** Several instances of the user center in one process, behind a balancer that picks any that is up. */
export class Fleet {
  readonly clock: CenterClock = testClock()
  readonly #places: readonly Place[]
  readonly #shared: Env

  readonly #t: Test

  constructor(t: Test, size: number, redisUrl: string) {
    this.#t = t
    this.#places = Array.from({ length: size }, () => new Place())
    this.#shared = { REDIS_URL: redisUrl, DATA_DIR: makeDataDir(t) }
  }

  /**
   * A rolling restart under load: one instance at a time makes room for a new one, and in between the old and the
   * new ones serve together. Only while a new one is built does the load pause: elsewhere that would be another
   * process, here it would hold up the instances that serve, and their stores would seem to be slow.
   */
  async deploy(env: Env, load?: Load): Promise<void> {
    for (const place of this.#places) {
      await load?.stop()
      const next = await this.#start(env)
      load?.start()
      await place.stop()
      place.instance = next
      await load?.round()
    }
  }

  async #start(env: Env): Promise<Instance> {
    const { app } = await startUserCenter(this.#t, { ...env, ...this.#shared }, this.clock)
    return { app, origin: await app.listen({ host: '127.0.0.1', port: 0 }) }
  }

  /** Does something with any instance that is up. */
  use<T>(work: (instance: Instance) => Promise<T>): Promise<T> {
    const up = this.#places.flatMap((place) => (place.instance ? [{ place, instance: place.instance }] : []))
    const chosen = up[Math.floor(Math.random() * up.length)]
    if (!chosen) throw new Error('No instance is up.')
    return chosen.place.use(chosen.instance, work)
  }

  /** The same with every instance, one after the other. */
  async useEach(work: (instance: Instance) => Promise<void>): Promise<void> {
    for (const place of this.#places) if (place.instance) await place.use(place.instance, work)
  }

  inject(request: InjectOptions): Promise<LightMyRequestResponse> {
    return this.use(({ app }) => app.inject(request))
  }
}

/** Three places over one real Redis and one data directory, all of which end with the test. */
export async function startFleet(t: Test): Promise<Fleet> {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  return new Fleet(t, 3, redis.url)
}
