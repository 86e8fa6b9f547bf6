import { type RedisClient, runScript, type Script, script } from '../stores/redis/scripts.js'
import { checked } from './counters.js'
import { RecentlyStored } from './recently-stored.js'
import type { Steps, Taking } from './steps.js'

/* A subject and its counter have the same text in braces, and so one slot of a cluster. What is not there is 0. */

/** KEYS: subject, counter. ARGV: what is expected there, most, seconds to keep. Returns what is there, and the count or 0. */
const TAKE = script(`
local stored = redis.call('GET', KEYS[1]) or '0'
if stored ~= ARGV[1] then return { stored, 0 } end
if tonumber(redis.call('GET', KEYS[2]) or 0) + 1 > tonumber(ARGV[2]) then return { stored, 0 } end
redis.call('SET', KEYS[2], 0, 'EX', ARGV[3], 'NX')
return { stored, redis.call('INCRBY', KEYS[2], 1) }
`)

/** KEYS: subject, counter. What comes back to nothing is not kept. Returns what is there. */
const RELEASE = script(`
if redis.call('INCRBY', KEYS[2], -1) <= 0 then redis.call('DEL', KEYS[2]) end
return redis.call('GET', KEYS[1]) or '0'
`)

/** KEYS: subject. ARGV: what is expected there, what follows it, seconds to keep. Returns what was there. */
const REPLACE = script(`
local stored = redis.call('GET', KEYS[1]) or '0'
if stored == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return stored
`)

interface Parts {
  readonly client: RedisClient
  readonly keyOf: (name: string) => string
  /** Rejects where an operation takes too long. */
  readonly limited: <T>(operation: Promise<T>) => Promise<T>
}

/**
 * Each step as one command. The library's limiter adds to one key alone: there a look and a count are two steps, and
 * each look is four commands.
 */
export class RedisSteps implements Steps {
  readonly #recent = new RecentlyStored()

  constructor(private readonly parts: Parts) {}

  /** Asks nobody: mostly there is nothing, or what was there the last time. */
  async expect(subject: string): Promise<number> {
    return this.#recent.recall(subject)
  }

  async look(subject: string, counter: string): Promise<{ stored: number; count: number }> {
    const { client, keyOf } = this.parts
    const [stored, count] = await this.#ask(() => client.mget(keyOf(subject), keyOf(counter)))
    return { stored: this.#note(subject, stored), count: checked(Number(count)) }
  }

  async take({
    subject,
    seen,
    counter,
    most,
    keep,
  }: Taking): Promise<{ stored: number; count: number | null }> {
    const answer = await this.#run(TAKE, [subject, counter], seen, most, keep)
    const [stored, count] = Array.isArray(answer) ? answer : []
    // Text where the application's own client has numbers as such.
    const taken = checked(Number(count))
    return { stored: this.#note(subject, stored), count: taken > 0 ? taken : null }
  }

  async release(subject: string, counter: string): Promise<number> {
    return this.#note(subject, await this.#run(RELEASE, [subject, counter]))
  }

  async replace(subject: string, seen: number, value: number, keep: number): Promise<number> {
    const stored = checked(Number(await this.#run(REPLACE, [subject], seen, value, keep)))
    this.#recent.note(subject, stored === seen ? value : stored)
    return stored
  }

  #note(subject: string, answer: unknown): number {
    const stored = checked(Number(answer))
    this.#recent.note(subject, stored)
    return stored
  }

  #run(step: Script, names: readonly string[], ...args: number[]): Promise<unknown> {
    const { client, keyOf } = this.parts
    return this.#ask(() => runScript(client, step, names.map(keyOf), ...args))
  }

  /** A client that queues commands until it is connected would count an attempt that went on elsewhere. */
  async #ask<T>(command: () => Promise<T>): Promise<T> {
    const { client, limited } = this.parts
    if (client.status !== 'ready') throw new Error('There is no connection to Redis.')
    return limited(command())
  }
}
