import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  createClient,
} from '../../plugins/lib/client/client.js'
import type { Channel, Environment, Locks } from '../../plugins/lib/client/environment.js'

/** Lets everything run that does not wait for the clock. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

interface Alarm {
  readonly at: number
  readonly ring: () => void
}

/** A clock that stands still until a test moves it, in ms. */
export class ClientClock {
  now = 0
  #alarms: Alarm[] = []

  #at(ms: number, ring: () => void): void {
    this.#alarms.push({ at: this.now + ms, ring })
  }

  readonly wait = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      this.#at(ms, resolve)
      signal?.addEventListener('abort', () => resolve())
    })

  readonly timeout = (ms: number): AbortSignal => {
    const late = new AbortController()
    this.#at(ms, () => late.abort(new DOMException('too late', 'TimeoutError')))
    return late.signal
  }

  /** Passes the time, from one alarm to the next. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms
    await settle()
    for (;;) {
      const next = this.#alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#alarms = this.#alarms.filter((alarm) => alarm !== next)
      this.now = Math.max(this.now, next.at)
      next.ring()
      await settle()
    }
    this.now = end
  }
}

interface Waiting {
  readonly isOver: () => boolean
  readonly start: () => void
}

/** Web Locks, for the tabs of one browser. */
class TestLocks implements Locks {
  readonly #queues = new Map<string, Waiting[]>()
  readonly #held = new Map<string, { readonly lose: (error: Error) => void }>()

  request(
    name: string,
    { steal, signal }: { readonly steal?: boolean; readonly signal?: AbortSignal },
    work: () => unknown,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const start = () => {
        const holder = { lose: reject }
        this.#held.set(name, holder)
        const free = () => {
          if (this.#held.get(name) !== holder) return
          this.#held.delete(name)
          this.#next(name)
        }
        Promise.resolve().then(work).then(resolve, reject).finally(free)
      }
      if (steal) {
        this.#held.get(name)?.lose(new DOMException('stolen', 'AbortError'))
        return start()
      }
      signal?.addEventListener('abort', () => reject(signal.reason))
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      queue.push({ isOver: () => signal?.aborted === true, start })
      if (!this.#held.has(name)) this.#next(name)
    })
  }

  #next(name: string): void {
    let next = this.#queues.get(name)?.shift()
    while (next?.isOver()) next = this.#queues.get(name)?.shift()
    next?.start()
  }
}

class TestChannel implements Channel {
  onmessage: Channel['onmessage'] = null
  constructor(
    readonly name: string,
    private readonly all: Set<TestChannel>,
  ) {
    all.add(this)
  }

  postMessage(message: unknown): void {
    const data = structuredClone(message)
    for (const other of this.all)
      if (other !== this && other.name === this.name)
        setImmediate(() => this.all.has(other) && other.onmessage?.({ data }))
  }

  close(): void {
    this.all.delete(this)
  }
}

/** What a test does to a request: answers it itself, throws, or lets it go on. */
export type Interfere = (request: Request, goOn: () => Promise<Response>) => Promise<Response>

export interface Tab {
  readonly client: Client
  readonly events: ClientEvent[]
  /** The paths that it has asked for. */
  readonly asked: string[]
  interfere: Interfere
  /** The page is shown again. */
  comeBack(): void
}

const ORIGIN = 'http://center.example'

/** A browser in front of an application: its tabs share cookies, locks and channels. */
export class TestBrowser {
  readonly jar = new Map<string, string>()
  readonly locks = new TestLocks()
  readonly #channels = new Set<TestChannel>()

  constructor(
    private readonly t: Test,
    private readonly app: FastifyInstance,
    readonly clock = new ClientClock(),
  ) {}

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) this.jar.delete(name)
      else this.jar.set(name, value)
    }
  }

  async #send(request: Request): Promise<Response> {
    const headers = Object.fromEntries(request.headers)
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const hasCookies = request.credentials !== 'omit' && cookie !== ''
    const answer = await this.app.inject({
      method: request.method as 'GET',
      url: request.url,
      headers: { ...headers, 'sec-fetch-site': 'same-origin', ...(hasCookies ? { cookie } : {}) },
      payload: Buffer.from(await request.arrayBuffer()),
    })
    if (request.credentials !== 'omit') this.#keep([answer.headers['set-cookie'] ?? []].flat())
    const hasBody = answer.statusCode !== 204 && answer.statusCode !== 304
    return new Response(hasBody ? answer.rawPayload : null, {
      status: answer.statusCode,
      headers: Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]),
    })
  }

  tab(options: ClientOptions = {}, environment: Partial<Environment> = {}): Tab {
    const { clock } = this
    const tab = {
      events: [] as ClientEvent[],
      asked: [] as string[],
      interfere: ((_, goOn) => goOn()) as Interfere,
    }
    let look = () => {}
    const client = createClient({
      baseUrl: ORIGIN,
      ...options,
      environment: {
        fetch: async (input, init) => {
          // The type of a stream's request wants it.
          const request = new Request(input, {
            ...init,
            ...(init?.body ? { duplex: 'half' } : {}),
          } as RequestInit)
          tab.asked.push(new URL(request.url).pathname)
          request.signal.throwIfAborted()
          const aborted = new Promise<never>((_, reject) => {
            request.signal.addEventListener('abort', () => reject(request.signal.reason))
          })
          return Promise.race([tab.interfere(request, () => this.#send(request)), aborted])
        },
        now: () => clock.now,
        random: () => 0.5,
        // The moment for which a lock is kept is none of the clock's.
        wait: (ms, signal) => (ms <= 50 ? settle() : clock.wait(ms, signal)),
        timeout: clock.timeout,
        locks: this.locks,
        openChannel: (name) => new TestChannel(name, this.#channels),
        onReturn: (callback) => {
          look = callback
        },
        ...environment,
      },
    })
    this.t.teardown(() => client.close())
    client.subscribe((event) => tab.events.push(event))
    return Object.assign(tab, { client, comeBack: () => look() })
  }
}
