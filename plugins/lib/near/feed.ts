import type { Feed, FeedChange } from '../stores/contract.js'
import { list as listOf, text } from '../stores/narrow.js'
import type { RedisClock } from '../stores/redis/clock.js'
import { BEAT } from '../stores/redis-revocation-scripts.js'
import { type RedisClient, runScript } from '../stores/redis-scripts.js'
import { type Beat, FeedConnection } from './feed-connection.js'
import { type CaughtUp, FeedBroken, FeedFollower } from './feed-follower.js'
import { ASK_INTERVAL, BEAT_INTERVAL, Heartbeat } from './heartbeat.js'
import type { RevocationList } from './revocation-list.js'

/*
 * How every process learns of every revocation: a stream beside the revocation list, which the script that
 * stores a revocation appends to, and which each process reads (XREAD BLOCK) on a connection of its own.
 *
 * Why a stream, and not server-assisted tracking (CLIENT TRACKING): what was missed in a gap can be read
 * afterwards, where tracking can only throw everything away; one connection does in a cluster, where tracking
 * needs one to each primary, all of them watched; and there is no protocol to get wrong (under RESP3 the driver
 * arms tracking and delivers nothing). What tracking would add, news of every key that changed, nobody needs:
 * ended sign-ins, raised epochs and the list's generation are all that ever invalidates an identity, and a
 * session's record with an identity only disappears together with its sign-in.
 *
 * What it promises: `healthy()` means that everything revoked up to 750 ms ago has been taken in. The proof is
 * a heartbeat that the *command* connection says stands last in the stream, and that has come through the feed: see
 * heartbeat.ts. (A ping would be happy on a demoted primary, and a feed of its own on a server that nobody writes to any
 * more.) The instances share their heartbeats: if each wrote its own, which all the others read, what an idle fleet
 * costs would grow with the square of its size.
 * Each entry carries how many revocations there were: a stream that was trimmed, deleted or rolled back shows.
 */

/** How long no heartbeat may come back before the connection is made anew, in ms. */
const PATIENCE = 1000
const RETRY_MIN = 25
const RETRY_MAX = 500
/** Questions that are not answered yet: a client of the application's may queue them for long. */
const UNANSWERED_MAX = 4
/** By how much questions are early or late, in ms: so each instance has its turn to add the heartbeat. */
const JITTER = 50

const HOW: Record<CaughtUp, string> = {
  replayed: 'What was missed has been read.',
  loaded: 'The list has been read anew.',
}

export interface FeedParts {
  /** The command connection. */
  readonly client: RedisClient
  readonly keys: readonly [list: string, feed: string]
  readonly list: RevocationList
  readonly clock: RedisClock
}

/** The feed of revocations. It starts at once, and does not give up before `close`. */
export class RevocationFeed implements Feed {
  readonly #parts: FeedParts
  readonly #follower: FeedFollower
  readonly #heartbeat = new Heartbeat()
  readonly #listeners = new Set<(change: FeedChange) => void>()
  readonly #beatListeners = new Set<(lag: number) => void>()
  #timer: NodeJS.Timeout | undefined
  #state: 'starting' | 'healthy' | 'lost' | 'closed' = 'starting'
  #connection: FeedConnection | null = null
  /** When there was last reason to be patient, on the monotonic clock. null: the connection is still made. */
  #patientSince: number | null = null
  #how = ''
  #unanswered = 0
  #retryAfter = RETRY_MIN
  #wake = () => {}

  constructor(parts: FeedParts) {
    this.#parts = parts
    this.#follower = new FeedFollower(parts.list, (beat) => this.#noteBeat(beat))
    this.#schedule()
    void this.#run()
  }

  healthy(): boolean {
    return this.#heartbeat.isFresh()
  }

  onChange(listener: (change: FeedChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  onBeat(listener: (lag: number) => void): () => void {
    this.#beatListeners.add(listener)
    return () => void this.#beatListeners.delete(listener)
  }

  get held(): number {
    return this.#parts.list.size
  }

  /** Resolves when it is healthy, or `timeout` ms have passed. */
  async settle(timeout: number): Promise<void> {
    if (this.healthy()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, timeout)
      const stop = this.onChange(({ kind }) => kind === 'feed_restored' && done())
      function done() {
        clearTimeout(timer)
        stop()
        resolve()
      }
    })
  }

  /** Has the whole list read again. */
  reload(): void {
    this.#follower.forget()
    this.#connection?.close()
  }

  close(): void {
    this.#state = 'closed'
    clearTimeout(this.#timer)
    this.#heartbeat.forget()
    this.#connection?.close()
    this.#wake()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed()) {
      const connection = new FeedConnection(this.#parts.client, this.#parts.keys)
      this.#connection = connection
      try {
        await connection.open()
        this.#how = HOW[await this.#follower.catchUp(connection)]
        this.#patientSince = performance.now()
        this.#ask()
        await this.#follower.follow(connection)
      } catch (error) {
        this.#lose(error instanceof FeedBroken ? error.message : 'The connection is lost.')
      }
      this.#patientSince = null
      connection.close()
      await this.#pause()
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #schedule(): void {
    const after = ASK_INTERVAL + JITTER * (2 * Math.random() - 1)
    this.#timer = setTimeout(() => {
      this.#schedule()
      this.#tick()
    }, after).unref()
  }

  #tick(): void {
    if (this.#state === 'healthy' && !this.healthy()) this.#lose('No heartbeat came back in time.')
    const since = this.#patientSince
    if (since !== null && performance.now() - since > PATIENCE) this.#connection?.close()
    this.#ask()
  }

  /** Asks which heartbeat stands last in the feed, and what time it is. */
  #ask(): void {
    if (this.#unanswered >= UNANSWERED_MAX) return
    this.#unanswered++
    const { client, keys, clock } = this.#parts
    const name = this.#heartbeat.next()
    const sent = clock.now()
    runScript(client, BEAT, keys, name, BEAT_INTERVAL, clock.offset ?? '')
      .then((answer) => {
        const [last, time] = listOf(answer).map(text)
        clock.compare(sent, time ? Number(time) : null)
        this.#heartbeat.answered(name, last ?? '')
        this.#noteProof()
      })
      .catch((error: unknown) => {
        // Said by the server itself (READONLY, OOM): it would not store a revocation either.
        if (error instanceof Error && error.name === 'ReplyError') this.#lose('A heartbeat was refused.')
      })
      .finally(() => this.#unanswered--)
  }

  #noteBeat({ name, offset }: Beat): void {
    if (offset !== null && !this.#heartbeat.isOwn(name)) this.#parts.clock.hear(name, offset)
    const lag = this.#heartbeat.arrived(name)
    if (lag !== null) for (const listener of this.#beatListeners) listener(lag)
    this.#noteProof()
  }

  #noteProof(): void {
    if (!this.healthy()) return
    this.#patientSince = performance.now()
    this.#retryAfter = RETRY_MIN
    if (!this.#parts.list.complete) this.#lose('There are more revocations than this process keeps.')
    else if (this.#state !== 'healthy' && !this.#isClosed()) this.#restore()
  }

  #restore(): void {
    this.#state = 'healthy'
    this.#tell({ kind: 'feed_restored', reason: this.#how })
    this.#how = 'Heartbeats come back.'
  }

  #lose(reason: string): void {
    this.#heartbeat.forget()
    if (this.#state === 'lost' || this.#isClosed()) return
    this.#state = 'lost'
    this.#tell({ kind: 'feed_lost', reason })
  }

  #tell(change: FeedChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#retryAfter).unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#retryAfter = Math.min(this.#retryAfter * 2, RETRY_MAX)
  }
}
