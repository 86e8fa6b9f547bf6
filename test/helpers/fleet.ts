import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { makeDataDir, startUserCenter, type TestClock, testClock } from './user-center.js'

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

/** Several instances of the user center in one process, behind a balancer that picks any that is up. */
export class Fleet {
  readonly clock: TestClock = testClock()
  readonly #places: readonly Place[]
  readonly #shared: Env

  constructor(
    private readonly t: Test,
    size: number,
    redisUrl: string,
  ) {
    this.#places = Array.from({ length: size }, () => new Place())
    this.#shared = { REDIS_URL: redisUrl, DATA_DIR: makeDataDir(t) }
  }

  /** A rolling restart: one instance at a time, with `between` after each, while the others serve. */
  async deploy(env: Env, between: () => Promise<void> = async () => {}): Promise<void> {
    for (const place of this.#places) {
      await place.stop()
      const { app } = await startUserCenter(this.t, { ...env, ...this.#shared }, this.clock)
      place.instance = { app, origin: await app.listen({ host: '127.0.0.1', port: 0 }) }
      await between()
    }
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
