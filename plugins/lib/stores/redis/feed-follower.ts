import type { RevocationList } from '../../revocation/list.js'
import { type Beat, type FeedConnection, type FeedEntry, readEntry } from './feed-connection.js'

/** The reason why a connection cannot be followed any further. */
export class FeedBroken extends Error {}

/** How the copy was brought up to date. */
export type CaughtUp = 'replayed' | 'loaded'

/**
 * Applies the feed to a copy of the list, over one connection after another. It stops when an entry shows that the copy
 * is no longer correct. Then the next connection loads the list.
 */
export class FeedFollower {
  readonly #list: RevocationList
  readonly #onBeat: (beat: Beat) => void
  /** The last entry that was applied. null: the list must be loaded. */
  #last: Pick<FeedEntry, 'id' | 'text'> | null = null
  /** Id of the entry after which reading continues. */
  #after = '0-0'
  /** The number of revocations written up to that entry. */
  #count = 0
  /** The last entry, if it is a heartbeat. */
  #beat: Beat | null = null

  /** @param onBeat gets each heartbeat, after everything before it has been applied */
  constructor(list: RevocationList, onBeat: (beat: Beat) => void) {
    this.#list = list
    this.#onBeat = onBeat
  }

  /** Makes the next connection load the whole list. */
  forget(): void {
    this.#last = null
  }

  /** Loads the list, unless the feed still has the last entry: then following replays the entries after it. */
  async catchUp(connection: FeedConnection): Promise<CaughtUp> {
    const how = this.#last && (await connection.holds(this.#last)) ? 'replayed' : await this.#load(connection)
    // The feed will not send this heartbeat again, and everything before it has been applied.
    if (this.#beat) this.#onBeat(this.#beat)
    return how
  }

  async #load(connection: FeedConnection): Promise<CaughtUp> {
    this.#last = null
    this.#beat = null
    const { generation, count, after, fields } = await connection.startLoad()
    this.#list.adopt(generation)
    for await (const members of connection.scan()) {
      for (const [member, score] of members) this.#list.put(member, score, 0)
    }
    this.#after = after
    this.#count = count
    if (fields.length > 0) this.#last = { id: after, text: fields.join() }
    const [kind, name = ''] = fields
    this.#beat = kind === 'h' ? { name, offset: null } : null
    return 'loaded'
  }

  /** Applies entries as they come. Never returns. @throws FeedBroken, or the connection's error */
  async follow(connection: FeedConnection): Promise<never> {
    for (;;) {
      for (const row of await connection.read(this.#after)) this.#takeIn(row)
    }
  }

  #takeIn(row: unknown): void {
    try {
      const entry = readEntry(row)
      this.#check(entry)
      this.#beat = entry.what.kind === 'beat' ? entry.what : null
      this.#last = { id: entry.id, text: entry.text }
      this.#after = entry.id
      this.#count = entry.count
    } catch (error) {
      this.#last = null
      throw error instanceof FeedBroken ? error : new FeedBroken('The feed holds what is not ours.')
    }
  }

  #check({ what, count }: FeedEntry): void {
    if (what.kind === 'revocation') {
      if (count !== this.#count + 1) throw new FeedBroken('Revocations were missed.')
      this.#list.put(what.member, what.score, what.keep)
      return
    }
    if (what.generation !== this.#list.generation) throw new FeedBroken('The revocation list was lost.')
    if (count !== this.#count) throw new FeedBroken('Revocations were missed.')
    this.#onBeat(what)
  }
}
