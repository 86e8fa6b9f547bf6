import { withDeadline } from '../../deadline.js'
import type { RevocationList } from '../../revocation/list.js'
import type { Feed, FeedChange } from '../contract.js'
import { type Beat, FeedConnection } from './feed-connection.js'
import { type CaughtUp, FeedBroken, FeedFollower } from './feed-follower.js'
import { askForBeat, type QuestionParts } from './feed-question.js'
import { askDelay, Heartbeat } from './heartbeat.js'

/*
 * Every process learns of every revocation through a stream beside the revocation list. The script that stores a
 * revocation appends to the stream. Each process reads it (XREAD BLOCK) on a connection of its own.
 *
 * A stream rather than server-assisted tracking (CLIENT TRACKING): entries missed in a gap can be read afterwards, and
 * one connection is enough in a cluster (see docs/revocation.md). The stream needs no other entries: an identity
 * becomes invalid only if its sign-in ends, its account's epoch is raised, or the list is lost. A session's record is
 * deleted with its sign-in.
 *
 * `healthy()` promises that this process knows everything revoked until 750 ms ago. A heartbeat proves it: the
 * *command* connection names the last heartbeat in the stream, and the feed has delivered that heartbeat (see
 * heartbeat.ts). Other proofs can mislead. A ping succeeds on a demoted primary. A feed alone may come from a server to
 * which nobody writes. Instances share the heartbeats: if each wrote its own, the cost would grow with the square of
 * the fleet. Each entry holds the number of revocations so far, which reveals a stream that was trimmed, deleted or
 * rolled back.
 */

/** In ms. If no heartbeat comes back for this time, the process opens a new connection. */
const PATIENCE = 1000
const RETRY_MIN = 25
const RETRY_MAX = 500
/** The maximum number of open questions. An application's own client may queue commands for a long time. */
const UNANSWERED_MAX = 4

const HOW: Record<CaughtUp, string> = {
  replayed: 'What was missed has been read.',
  loaded: 'The list has been read anew.',
}

export interface FeedParts extends QuestionParts {
  readonly list: RevocationList
}

/** The feed of revocations. It starts at once, and does not give up until `close`. */
export class RevocationFeed implements Feed {
  readonly #parts: FeedParts
  readonly #follower: FeedFollower
  readonly #heartbeat = new Heartbeat()
  readonly #listeners = new Set<(change: FeedChange) => void>()
  readonly #beatListeners = new Set<(lag: number) => void>()
  #timer: NodeJS.Timeout | undefined
  #state: 'starting' | 'healthy' | 'lost' | 'closed' = 'starting'
  #connection: FeedConnection | null = null
  /** When the wait for the next heartbeat began, on the monotonic clock. Null without a connection. */
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

  /** Resolves when the feed is healthy, or after `timeout` ms. */
  async settle(timeout: number): Promise<void> {
    if (this.healthy()) return
    let stop = () => {}
    const restored = new Promise<void>((resolve) => {
      stop = this.onChange(({ kind }) => kind === 'feed_restored' && resolve())
    })
    await withDeadline(restored, timeout, () => {}).finally(() => stop())
  }

  /** Reads the whole list again. */
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
