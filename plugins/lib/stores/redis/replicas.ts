import { Batches } from '../batches.js'
import { type Attached, AttachedReplicas, readAttached } from './attached.js'
import { besideOf, connectInTime } from './beside.js'
import { INFO, REVOKE } from './revocation-scripts.js'
import { type RedisClient, runScript } from './scripts.js'

/** How often the replicas are counted, in ms. */
const LOOK_INTERVAL = 5000
/** How long to wait for a replica that has left, in ms. */
const MISSED_FOR = 10_000
/** Arguments of the script that revokes: three for each revocation. */
type Args = readonly (string | number)[]

/** The connection on which revocations are stored. */
interface Writer {
  readonly client: RedisClient
  /** The name of the primary at its other end. */
  readonly primary: Promise<string>
}

export interface RedisReplicasOptions {
  /** The limit of a whole operation, in ms. The replicas have half of it to confirm. */
  readonly timeout: number
  /** How long to wait for a replica that has left, in ms. 10 000 by default. */
  readonly missedFor?: number | undefined
}

/**
 * If the primary has replicas, a revocation counts as stored when all replicas that keep up have it. Otherwise a
 * failover could undo it. A replica that has just left still counts, and revocations fail for that time. `WAIT` blocks
 * its connection, so it runs on a separate one. Revocations that arrive during a `WAIT` are stored together.
 */
export class RedisReplicas {
  readonly #client: RedisClient
  readonly #keys: readonly [list: string, feed: string]
  readonly #timeout: number
  readonly #attached: AttachedReplicas
  readonly #batches = new Batches(async (args: readonly Args[]) => {
    const isKept = await this.#store(args.flat())
    return args.map(() => isKept)
  })
  readonly #look = () => void this.#count().catch(() => {})
  readonly #follow = () => {
    // The client may have moved to another primary, and the writer must follow it.
    this.#drop(this.#writer)
    this.#owed = null
    this.#look()
  }
  readonly #timer: NodeJS.Timeout
  /** How many replicas of the client's primary must confirm. Null while unknown. */
  #owed: Attached | null = null
  #writer: Writer | null = null
  #closed = false

  /** @param keys of the list and its feed. In a cluster, the node that has the list is the primary */
  constructor(
    client: RedisClient,
    keys: readonly [list: string, feed: string],
    { timeout, missedFor = MISSED_FOR }: RedisReplicasOptions,
  ) {
    this.#client = client
    this.#keys = keys
    this.#timeout = timeout
    this.#attached = new AttachedReplicas(missedFor)
    this.#timer = setInterval(this.#look, LOOK_INTERVAL).unref()
    client.on('ready', this.#follow)
    if (client.status === 'ready') this.#look()
  }

  /**
   * Stores revocations, and waits for the replicas.
   * @returns whether they have confirmed; undefined, and nothing is stored, if there are no replicas
   */
  async revoke(args: Args): Promise<boolean | undefined> {
    return (await this.areThere()) ? this.#batches.add(args) : undefined
  }

  /** Whether any replica must confirm. */
  async areThere(): Promise<boolean> {
    const { replicas } = this.#owed ?? (await this.#count())
    return replicas > 0
  }

  async #store(args: Args): Promise<boolean> {
    const owed = this.#owed ?? (await this.#count())
    const writer = this.#openWriter()
    try {
      const isKept = await this.#write(writer, args, owed)
      if (!isKept) this.#giveUp(writer)
      return isKept
    } catch (error) {
      this.#giveUp(writer)
      throw error
    }
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#client.off('ready', this.#follow)
    this.#drop(this.#writer)
  }

  /** Uses a pipeline, because `WAIT` refers to the writes of its own connection. */
  async #write(writer: Writer, args: Args, owed: Attached): Promise<boolean> {
    // The writer may have reached another primary than the client. Then the replicas of that primary prove nothing.
    if ((await writer.primary) !== owed.primary) throw new Error('The primary is another one')
    const answers = await writer.client
      .pipeline()
      .eval(REVOKE.lua, this.#keys.length, ...this.#keys, ...args)
      .wait(owed.replicas, Math.ceil(this.#timeout / 2))
      .exec()
    const [[failure] = [new Error('No answer')], [, confirmed] = [null, 0]] = answers ?? []
    if (failure) throw failure
    return Number(confirmed) >= owed.replicas
  }

  /**
   * Counts the replicas again: in a cluster, another node may have the list now. Also rejects the waiting revocations,
   * which are not stored yet: no replica would confirm them.
   */
  #giveUp(writer: Writer): void {
    this.#drop(writer)
    this.#batches.refuse(new Error('The replicas do not confirm revocations'))
    this.#look()
  }

  async #count(): Promise<Attached> {
    this.#owed = this.#attached.note(await this.#ask(this.#client))
    return this.#owed
  }

  async #ask(client: RedisClient): Promise<Attached> {
    const info = await runScript(client, INFO, this.#keys[0], 'replication').catch(withoutPermission)
    return readAttached(String(info))
  }

  #openWriter(): Writer {
    if (this.#closed) throw new Error('The store is closed')
    if (!this.#writer || this.#writer.client.status === 'end') {
      const client = besideOf(this.#client, this.#timeout)
      // In a cluster, the first command opens the connection to its node. Other commands would fail until it is open.
      const connected = connectInTime(client).then(() => this.#ask(client))
      this.#writer = { client, primary: connected.then(({ primary }) => primary) }
    }
    return this.#writer
  }

  #drop(writer: Writer | null): void {
    if (this.#writer === writer) this.#writer = null
    writer?.client.disconnect()
  }
}

/** A Redis user without the permission to ask counts as one without replicas. */
function withoutPermission(error: unknown): string {
  if (error instanceof Error && /NOPERM|can't run this command/.test(error.message)) return ''
  throw error
}
