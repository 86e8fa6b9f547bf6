import { besideOf, connectInTime } from './redis-connection.js'
import { INFO, REVOKE } from './redis-revocation-scripts.js'
import { type RedisClient, runScript } from './redis-scripts.js'

/** How often it is looked whether there are replicas, in ms. */
const LOOK_INTERVAL = 5000

/** Those that have confirmed something: one that is still being sent everything cannot. */
function countReplicas(info: unknown): number {
  return String(info).match(/^slave\d+:.*state=online,offset=[1-9]/gm)?.length ?? 0
}

interface Writer {
  readonly client: RedisClient
  readonly ready: Promise<unknown>
}

/**
 * Where the primary has replicas, a revocation counts when one of them has it: a failover would bring back
 * what only the primary knew. `WAIT` keeps its connection from everything else, so it gets one of its own.
 */
export class RedisReplicas {
  readonly #client: RedisClient
  readonly #key: string
  readonly #timeout: number
  readonly #look = () => void this.#count().catch(() => {})
  readonly #timer: NodeJS.Timeout
  /** null: not known yet. */
  #attached: number | null = null
  #writer: Writer | null = null
  #closed = false

  /**
   * @param key of the list, whose node in a cluster is the one that counts
   * @param timeout of an operation as a whole, in ms. A replica has half of it to confirm.
   */
  constructor(client: RedisClient, key: string, timeout: number) {
    this.#client = client
    this.#key = key
    this.#timeout = timeout
    this.#timer = setInterval(this.#look, LOOK_INTERVAL).unref()
    client.on('ready', this.#look)
    if (client.status === 'ready') this.#look()
  }

  /**
   * Stores revocations, and waits for a replica to have them.
   * @returns whether one has; undefined, and nothing is stored, where there are no replicas
   */
  async revoke(keys: readonly string[], args: readonly (string | number)[]): Promise<boolean | undefined> {
    if ((this.#attached ?? (await this.#count())) === 0) return undefined
    const writer = this.#open()
    try {
      await writer.ready
      return await this.#write(writer.client, keys, args)
    } catch (error) {
      // In a cluster another node may have the list by now, and a pipeline does not follow it there.
      this.#drop(writer)
      throw error
    }
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#client.off('ready', this.#look)
    this.#writer?.client.disconnect()
  }

  async #count(): Promise<number> {
    const info = await runScript(this.#client, INFO, this.#key, 'replication').catch(withoutPermission)
    this.#attached = countReplicas(info)
    return this.#attached
  }

  /** A pipeline keeps to one connection, in a cluster to the one of its keys' node: what wrote is what waits. */
  async #write(client: RedisClient, keys: readonly string[], args: readonly (string | number)[]) {
    const answers = await client
      .pipeline()
      .eval(REVOKE.lua, keys.length, ...keys, ...args)
      .wait(1, Math.ceil(this.#timeout / 2))
      .exec()
    const [[failure] = [new Error('No answer')], [, confirmed] = [null, 0]] = answers ?? []
    if (failure) throw failure
    if (Number(confirmed) > 0) return true
    // It may have gone since it was counted.
    this.#look()
    return false
  }

  #open(): Writer {
    if (this.#closed) throw new Error('The store is closed')
    if (!this.#writer || this.#writer.client.status === 'end') {
      const client = besideOf(this.#client, this.#timeout)
      // In a cluster the first command connects to its node, and those that come meanwhile would fail.
      const ready = connectInTime(client).then(() => client.exists(this.#key))
      this.#writer = { client, ready }
    }
    return this.#writer
  }

  #drop(writer: Writer): void {
    writer.client.disconnect()
    if (this.#writer === writer) this.#writer = null
  }
}

/** A user of Redis who may not ask is taken to have none, as before a replica is attached. */
function withoutPermission(error: unknown): string {
  if (error instanceof Error && /NOPERM|can't run this command/.test(error.message)) return ''
  throw error
}
