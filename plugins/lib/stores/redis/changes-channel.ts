import { randomBytes } from 'node:crypto'
import type { ChangesChannel } from '../../live/changes.js'
import { besideOf, connectInTime } from './beside.js'
import { PREFIX, type RedisClient } from './scripts.js'

/*
 * Not the feed of revocations: that carries endings only, and what it can replay must not be filled by logins. Messages
 * here may be lost, so they are never the reason to let somebody in or to refuse somebody.
 */

const CHANNEL = `${PREFIX}sign-ins`
/** How often the connection is tested, in ms. A half-open one would be silent for ever. */
const PING_INTERVAL = 10_000
const SILENCE = 5000
const RETRY = 1000

/** Other instances learn by PUB/SUB whose list of sign-ins has changed. */
export class RedisChangesChannel implements ChangesChannel {
  /** Marks the messages of this process, which it need not hear. */
  readonly #own = `${randomBytes(9).toString('base64url')}:`
  #connection: RedisClient | null = null
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(private readonly client: RedisClient) {}

  publish(accountId: string): void {
    this.client.publish(CHANNEL, `${this.#own}${accountId}`).catch(() => {})
  }

  subscribe(hear: (accountId: string) => void): void {
    void this.#follow((message) => {
      if (!message.startsWith(this.#own)) hear(message.slice(message.indexOf(':') + 1))
    })
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#connection?.disconnect()
  }

  async #follow(hear: (message: string) => void): Promise<void> {
    const connection = besideOf(this.client, SILENCE)
    this.#connection = connection
    connection.on('message', (_channel: string, message: string) => hear(message))
    const ended = new Promise<void>((resolve) => connection.once('end', () => resolve()))
    try {
      await connectInTime(connection)
      await connection.subscribe(CHANNEL)
      this.#timer = setInterval(() => void connection.ping().catch(() => {}), PING_INTERVAL).unref()
      await ended
    } catch {
      connection.disconnect()
    }
    clearInterval(this.#timer)
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#follow(hear), RETRY).unref()
  }
}
