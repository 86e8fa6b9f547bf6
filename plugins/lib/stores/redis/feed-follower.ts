import type { RevocationList } from '../../revocation/list.js'
import { type Beat, type FeedConnection, type FeedEntry, readEntry } from './feed-connection.js'

/** Why a connection cannot be followed any further. */
export class FeedBroken extends Error {}

/** How the list was brought up to date. */
export type CaughtUp = 'replayed' | 'loaded'

/**
 * Keeps a list as the feed says, over one connection after another.
 * What makes it stop is that the copy cannot be right any more; then the list is loaded by the next connection.
 */
export class FeedFollower {
  readonly #list: RevocationList
  readonly #onBeat: (beat: Beat) => void
  /** The last entry that was taken in. null: the list must be loaded. */
  #last: Pick<FeedEntry, 'id' | 'text'> | null = null
  /** Id of the entry after which to go on. */
  #after = '0-0'
  /** How many revocations had been written by then. */
  #count = 0
  /** The heartbeat that is the last entry, if it is one. */
  #beat: Beat | null = null

  /** @param onBeat gets each heartbeat, when all that came before it has been taken in */
  constructor(list: RevocationList, onBeat: (beat: Beat) => void) {
    this.#list = list
    this.#onBeat = onBeat
  }

  /** Has the next connection load the whole list. */
  forget(): void {
    this.#last = null
  }

  /** Makes up for what was missed, so far as following does not: by its entries where the feed still has them. */
  async catchUp(connection: FeedConnection): Promise<CaughtUp> {
    const how = this.#last && (await connection.holds(this.#last)) ? 'replayed' : await this.#load(connection)
    // It will not come again, and everything before it is here.
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

  /** Takes in what comes. Never returns. @throws FeedBroken, or the connection's error */
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
