import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Store } from './redis.js'

/** Longer than Redis takes to tell of a command, and shorter than one waits for. In ms. */
const SETTLE = 100
const LISTEN = 1500

/** What clients send to a Redis, but for what they send by themselves. */
export class CommandLog {
  readonly #noise = new Set<string>()
  #commands: string[][] = []

  private constructor(private readonly monitor: Redis) {
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      // What a script calls is not sent.
      if (source !== 'lua') this.#commands.push(args)
    })
  }

  static async open({ client }: Store): Promise<CommandLog> {
    return new CommandLog(await client.monitor())
  }

  /** Takes what is sent while nobody asks for anything as noise. */
  async learnNoise(): Promise<void> {
    this.#commands = []
    await delay(LISTEN)
    for (const args of this.#commands) this.#noise.add(kindOf(args))
  }

  /** The names of the commands since the last time, without the noise. */
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

/** A command, and which script or channel it is for. */
function kindOf([name = '', first = '']: string[]): string {
  return `${name.toUpperCase()} ${first}`
}
