import { randomBytes } from 'node:crypto'
import { createMemoryStore } from 'fastify-identity/stores'
import { TestClock } from 'fastify-identity/testing'
import { Browser, type BrowserOptions } from './browser.js'
import { Center, type CenterOptions } from './center.js'
import type { Exchange } from './exchange.js'
import type { Language } from './text.js'

/** The world of one run: user centers, browsers and a clock. Nothing in it is the real server's. */
export class Lab {
  /** Stands still unless the experiment moves it. */
  readonly clock = new TestClock(Math.floor(Date.now() / 1000) * 1000)
  /** In order. */
  readonly exchanges: Exchange[] = []
  readonly #centers: Center[] = []

  constructor(readonly language: Language) {}

  /** What all servers of one system share: an empty store and a random secret. */
  system(): Pick<CenterOptions, 'store' | 'secret'> {
    return { store: createMemoryStore(), secret: randomBytes(48).toString('base64url') }
  }

  /** Opens a user center of its own, with a system of its own unless the options bring one. */
  async center(options: Partial<CenterOptions> = {}): Promise<Center> {
    const center = await Center.open({
      ...this.system(),
      clock: this.clock.read,
      origin: 'http://localhost:3000',
      suite: {},
      routes: () => {},
      ...options,
    })
    this.#centers.push(center)
    return center
  }

  /** A browser on this user center's page. It records its exchanges. */
  browser(center: Center, options: Partial<Pick<BrowserOptions, 'ip'>> = {}): Browser {
    return new Browser(center, {
      ip: '127.0.0.1',
      language: this.language,
      clock: this.clock.read,
      record: (exchange) => this.exchanges.push(exchange) - 1,
      ...options,
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#centers.map(({ app }) => app.close()))
  }
}
