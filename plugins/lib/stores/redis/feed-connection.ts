import { list, text } from '../narrow.js'
import { newGeneration } from '../rules.js'
import { besideOf, connectInTime } from './beside.js'
import { LOAD } from './revocation-scripts.js'
import { type RedisClient, runScript } from './scripts.js'

/** How long a read waits for an entry, in ms. A heartbeat comes sooner. */
const BLOCK = 700
/** In ms. After this silence, the connection counts as half-open and is closed. */
const SILENCE = 1050
const READ_BATCH = 1000
const SCAN_BATCH = 2000

/** The state of the list at the start of a load. */
export interface LoadStart {
  readonly generation: number
  readonly count: number
  /** Id of the feed's entry after which reading continues. */
  readonly after: string
  /** Fields of that entry. None if the feed is empty. */
  readonly fields: readonly string[]
}

/** An entry of the feed: see revocation-scripts.ts. */
export interface FeedEntry {
  readonly id: string
  /** All fields, to tell it from another entry with the same id. */
  readonly text: string
  /** The number of revocations written so far. */
  readonly count: number
  readonly what:
    | { readonly kind: 'revocation'; readonly member: string; readonly score: number; readonly keep: number }
    | ({ readonly kind: 'beat'; readonly generation: number | null } & Beat)
}

/** A heartbeat of any instance. */
export interface Beat {
  readonly name: string
  /** How far Redis' clock is ahead of that instance's, in ms. Null if the heartbeat does not say. */
  readonly offset: number | null
}

/** @throws TypeError for an entry that our scripts did not write */
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
  // A heartbeat of 0.1 ends with the count.
  const [, , , marker, , count, , , , offset] = pairs
  const generation = marker ? -Number(marker) : null
  const what = { kind: 'beat', name: value, generation, offset: offset ? Number(offset) : null } as const
  return { id: text(id), text: pairs.join(), count: -Number(count), what }
}

/** The connection on which a feed is read. Every method rejects if the connection is lost, and none hangs. */
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

  /** Makes the marker if the list has none. @throws on a replica, whose feed we must not follow */
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

  /** The whole list, in batches without an order. Includes every member that stays in the list during the scan. */
  async *scan(): AsyncGenerator<readonly (readonly [member: string, score: number])[]> {
    let cursor = '0'
    do {
      const [next, flat] = await this.#client.zscan(this.#keys[0], cursor, 'COUNT', SCAN_BATCH)
      cursor = next
      yield flat.flatMap((member, index) => (index % 2 ? [] : [[member, Number(flat[index + 1])] as const]))
    } while (cursor !== '0')
  }

  /** Whether the feed still holds exactly that entry. Then it also holds all later entries. */
  async holds({ id, text: known }: Pick<FeedEntry, 'id' | 'text'>): Promise<boolean> {
    const [found] = await this.#client.xrange(this.#keys[1], id, id)
    return found?.[1].join() === known
  }

  /** Entries after the given one, for `readEntry`. Waits a little if there is none yet. */
  async read(after: string): Promise<readonly unknown[]> {
    const feed = this.#keys[1]
    const answer = await this.#client.xread('COUNT', READ_BATCH, 'BLOCK', BLOCK, 'STREAMS', feed, after)
    return answer?.[0]?.[1] ?? []
  }

  close(): void {
    this.#client.disconnect()
  }
}
