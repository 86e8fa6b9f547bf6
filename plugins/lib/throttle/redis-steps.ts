import { Newest } from '../newest.js'
import type { AnyRedisClient } from '../stores/backing.js'
import {
  asRedisClient,
  inTime,
  PREFIX,
  type RedisClient,
  runScript,
  type Script,
  script,
} from '../stores/redis/scripts.js'
import { checked, type Steps, type Taking } from './steps.js'

/** KEYS: subject, counter. ARGV: expected number, most, seconds to keep. Returns the subject's number, and the count or 0. */
const TAKE = script(`
local stored = redis.call('GET', KEYS[1]) or '0'
if stored ~= ARGV[1] then return { stored, 0 } end
if tonumber(redis.call('GET', KEYS[2]) or 0) + 1 > tonumber(ARGV[2]) then return { stored, 0 } end
redis.call('SET', KEYS[2], 0, 'EX', ARGV[3], 'NX')
return { stored, redis.call('INCRBY', KEYS[2], 1) }
`)

/** KEYS: subject, counter. A counter of 0 is not kept: shed attempts leave no keys. Returns the subject's number. */
const RELEASE = script(`
if redis.call('INCRBY', KEYS[2], -1) <= 0 then redis.call('DEL', KEYS[2]) end
return redis.call('GET', KEYS[1]) or '0'
`)

/** KEYS: subject. ARGV: expected number, new number, seconds to keep. Returns the number that was there. */
const REPLACE = script(`
local stored = redis.call('GET', KEYS[1]) or '0'
if stored == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return stored
`)

/** At about a hundred bytes each. */
const RECENT_MAX = 10_000

const keyOf = (name: string) => `${PREFIX}th:${name}`

/**
 * Counters in Redis, standalone or a cluster. Each step is one command, with keys of one slot. The client's owner
 * closes it.
 */
export class RedisSteps implements Steps {
  /**
   * The numbers that were stored under subjects recently, except 0. Each is a guess at the present number. Every step
   * confirms it, so a wrong guess only costs a second command.
   */
  readonly #recent = new Newest<string, number>(RECENT_MAX)
  readonly #client: RedisClient

  /** @param timeout how long a step may take, in ms @throws OPTION_INVALID for a client that is not of ioredis */
  constructor(
    client: AnyRedisClient,
    private readonly timeout: number,
  ) {
    this.#client = asRedisClient(client)
  }

  /** Sends no command: usually the number is 0, or unchanged since the last time. */
  expect(subject: string): number {
    return this.#recent.get(subject) ?? 0
  }

  async look(subject: string, counter: string) {
    const [stored, count] = await this.#ask(() => this.#client.mget(keyOf(subject), keyOf(counter)))
    return { stored: this.#note(subject, stored), count: checked(Number(count)) }
  }

  async take({ subject, seen, counter, most, keep }: Taking) {
    const answer = await this.#run(TAKE, [subject, counter], seen, most, keep)
    const [stored, count] = Array.isArray(answer) ? answer : []
    // The application's own client may return numbers as text.
    const taken = checked(Number(count))
    return { stored: this.#note(subject, stored), count: taken > 0 ? taken : null }
  }

  async release(subject: string, counter: string): Promise<number> {
    return this.#note(subject, await this.#run(RELEASE, [subject, counter]))
  }

  async replace(subject: string, seen: number, value: number, keep: number): Promise<number> {
    const stored = this.#note(subject, await this.#run(REPLACE, [subject], seen, value, keep))
    if (stored === seen) this.#note(subject, value)
    return stored
  }

  #note(subject: string, answer: unknown): number {
    const stored = checked(Number(answer))
    if (stored === 0) this.#recent.delete(subject)
    else this.#recent.set(subject, stored)
    return stored
  }

  #run(step: Script, names: readonly string[], ...args: number[]): Promise<unknown> {
    return this.#ask(() => runScript(this.#client, step, names.map(keyOf), ...args))
  }

  /**
   * Refuses without a connection. A client that queues commands until it is connected would later count an attempt that
   * was already counted elsewhere. A Redis that does not answer counts as one that fails, whatever the client's own
   * settings are.
   */
  async #ask<T>(command: () => Promise<T>): Promise<T> {
    if (this.#client.status !== 'ready') throw new Error('There is no connection to Redis.')
    return inTime(command(), this.timeout)
  }
}
