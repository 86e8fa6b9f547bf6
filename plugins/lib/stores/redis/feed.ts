import { withDeadline } from '../../deadline.js'
import type { RevocationList } from '../../revocation/list.js'
import type { Feed, FeedChange } from '../contract.js'
import { type Beat, FeedConnection } from './feed-connection.js'
import { type CaughtUp, FeedBroken, FeedFollower } from './feed-follower.js'
import { askForBeat, type QuestionParts } from './feed-question.js'
import { askDelay, Heartbeat } from './heartbeat.js'

/*
 * How every process learns of every revocation: a stream beside the revocation list, which the script that
 * stores a revocation appends to, and which each process reads (XREAD BLOCK) on a connection of its own.
 *
 * Why a stream, and not server-assisted tracking (CLIENT TRACKING): what was missed in a gap can be read afterwards, and
 * one connection does in a cluster: see docs/revocation.md. Ended sign-ins, raised epochs and the list's generation are all
 * that ever invalidates an identity; a session's record with one disappears together with its sign-in.
 *
 * What it promises: `healthy()` means that everything revoked up to 750 ms ago has been taken in. The proof is
 * a heartbeat that the *command* connection says stands last in the stream, and that has come through the feed: see
 * heartbeat.ts. (A ping would be happy on a demoted primary, and a feed of its own on a server that nobody writes to any
 * more.) Instances share them: if each wrote its own, the cost would grow with the square of the fleet.
 * Each entry carries how many revocations there were: a stream that was trimmed, deleted or rolled back shows.
 */

/** How long no heartbeat may come back before the connection is made anew, in ms. */
const PATIENCE = 1000
const RETRY_MIN = 25
const RETRY_MAX = 500
/** Questions that are not answered yet: a client of the application's may queue them for long. */
const UNANSWERED_MAX = 4

const HOW: Record<CaughtUp, string> = {
  replayed: 'What was missed has been read.',
  loaded: 'The list has been read anew.',
}

export interface FeedParts extends QuestionParts {
  readonly list: RevocationList
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
    let stop = () => {}
    const restored = new Promise<void>((resolve) => {
      stop = this.onChange(({ kind }) => kind === 'feed_restored' && resolve())
    })
    await withDeadline(restored, timeout, () => {}).finally(() => stop())
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
    this.#timer = setTimeout(() => {
      this.#schedule()
      this.#tick()
    }, askDelay()).unref()
  }

  #tick(): void {
    if (this.#state === 'healthy' && !this.healthy()) this.#lose('No heartbeat came back in time.')
    const since = this.#patientSince
    if (since !== null && performance.now() - since > PATIENCE) this.#connection?.close()
    this.#ask()
  }

  #ask(): void {
    if (this.#unanswered >= UNANSWERED_MAX) return
    this.#unanswered++
    const name = this.#heartbeat.next()
    askForBeat(this.#parts, name)
      .then((last) => {
        this.#heartbeat.answered(name, last)
        this.#noteProof()
      })
      .catch((error: unknown) => {
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
    if (this.#state === 'healthy' || this.#isClosed() || !this.healthy()) return
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
