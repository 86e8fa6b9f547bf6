import { list, text } from '../narrow.js'
import { newGeneration } from '../rules.js'
import { besideOf, connectInTime } from './beside.js'
import { LOAD } from './revocation-scripts.js'
import { type RedisClient, runScript } from './scripts.js'

/** How long a read waits for something to come, in ms. A heartbeat comes sooner. */
const BLOCK = 400
/** How long nothing at all may come before the connection is given up as half-open, in ms. */
const SILENCE = 900
const READ_BATCH = 1000
const SCAN_BATCH = 2000

/** Where the list stood when a load began. */
export interface LoadStart {
  readonly generation: number
  readonly count: number
  /** Id of the feed's entry after which to go on. */
  readonly after: string
  /** What that entry says: nothing, where the feed is empty. */
  readonly fields: readonly string[]
}

/** An entry of the feed: see redis-revocation-scripts.ts. */
export interface FeedEntry {
  readonly id: string
  /** All that it says, for telling it from another one of the same id. */
  readonly text: string
  /** How many revocations had been written. */
  readonly count: number
  readonly what:
    | { readonly kind: 'revocation'; readonly member: string; readonly score: number; readonly keep: number }
    | ({ readonly kind: 'beat'; readonly generation: number | null } & Beat)
}

/** A heartbeat, of whichever instance. */
export interface Beat {
  readonly name: string
  /** How far Redis' clock is ahead of that instance's, in ms. null where it does not say. */
  readonly offset: number | null
}

/** @throws TypeError for what our scripts did not write */
export function readEntry(row: unknown): FeedEntry {
  const [id, fields] = list(row)
  const pairs = list(fields).map(text)
  const [name, value = ''] = pairs
  if (name === 'm') {
    const [, , , score, , keep, , count] = pairs
    const what = { kind: 'revocation', member: value, score: Number(score), keep: Number(keep) } as const
    return { id: text(id), text: pairs.join(), count: -Number(count), what }
  }
  if (name !== 'h') throw new TypeError('The feed holds something that is not ours')
  // One of 0.1 ends with the count.
  const [, , , marker, , count, , , , offset] = pairs
  const generation = marker ? -Number(marker) : null
  const what = { kind: 'beat', name: value, generation, offset: offset ? Number(offset) : null } as const
  return { id: text(id), text: pairs.join(), count: -Number(count), what }
}

/** The connection that a feed is read on. Every method rejects when it is lost, and none hangs. */
export class FeedConnection {
  readonly #client: RedisClient
  readonly #keys: readonly [list: string, feed: string]

  constructor(client: RedisClient, keys: readonly [list: string, feed: string]) {
    this.#client = besideOf(client, SILENCE)
    this.#keys = keys
  }

  open(): Promise<void> {
    return connectInTime(this.#client)
  }

  /** Makes the marker where the list has none. @throws on a replica, which is not the one to follow */
  async startLoad(): Promise<LoadStart> {
    const answer = list(await runScript(this.#client, LOAD, this.#keys, -newGeneration()))
    const [marker, count, after, fields] = answer
    return {
      generation: -Number(marker),
      count: -Number(count),
      after: text(after),
      fields: list(fields).map(text),
    }
  }

  /** The whole list, in parts: every member that was in it from begin to end, in no order. */
  async *scan(): AsyncGenerator<readonly (readonly [member: string, score: number])[]> {
    let cursor = '0'
    do {
      const [next, flat] = await this.#client.zscan(this.#keys[0], cursor, 'COUNT', SCAN_BATCH)
      cursor = next
      yield flat.flatMap((member, index) => (index % 2 ? [] : [[member, Number(flat[index + 1])] as const]))
    } while (cursor !== '0')
  }

  /** Whether the feed still holds that very entry: then it holds all that came after it as well. */
  async holds({ id, text: known }: Pick<FeedEntry, 'id' | 'text'>): Promise<boolean> {
    const [found] = await this.#client.xrange(this.#keys[1], id, id)
    return found?.[1].join() === known
  }

  /** Entries that come after one, to be read by `readEntry`. Waits a little when there is none yet. */
  async read(after: string): Promise<readonly unknown[]> {
    const feed = this.#keys[1]
    const answer = await this.#client.xread('COUNT', READ_BATCH, 'BLOCK', BLOCK, 'STREAMS', feed, after)
    return answer?.[0]?.[1] ?? []
  }

  close(): void {
    this.#client.disconnect()
  }
}
