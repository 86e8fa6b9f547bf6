import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Store } from './redis.js'

/** How long to wait until Redis has reported a command, in ms. */
const SETTLE = 100
const LISTEN = 1500

/** The commands that clients send to a Redis, without those that they send on their own. */
export class CommandLog {
  readonly #noise = new Set<string>()
  #commands: string[][] = []

  private constructor(private readonly monitor: Redis) {
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      // Calls of a script are not sent by a client.
      if (source !== 'lua') this.#commands.push(args)
    })
  }

  static async open({ client }: Store): Promise<CommandLog> {
    return new CommandLog(await client.monitor())
  }

  /** Counts the commands that are sent without requests as noise. */
  async learnNoise(): Promise<void> {
    this.#commands = []
    await delay(LISTEN)
    for (const args of this.#commands) this.#noise.add(kindOf(args))
  }

  /** The names of the commands since the last call, without the noise. */
  async take(): Promise<string[]> {
    await delay(SETTLE)
    const taken = this.#commands.filter((args) => !this.#noise.has(kindOf(args)))
    this.#commands = []
    return taken.map(([name = '']) => name.toUpperCase())
  }

  close(): void {
    this.monitor.disconnect()
  }
}

/** A command with its script or channel. */
function kindOf([name = '', first = '']: string[]): string {
  return `${name.toUpperCase()} ${first}`
}
