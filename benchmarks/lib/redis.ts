import { Redis } from 'ioredis'
import { type RedisServer, startRedis } from '../../test/helpers/redis-server.js'

/** A Redis of this run, and a client that inspects it. It shares the core of the load: the server has a core of its own. */
export interface Store {
  readonly url: string
  /** Commands so far, except those of the inspecting client. Calls of scripts count as well. */
  commands(): Promise<number>
  /** Bytes in use. */
  memory(): Promise<number>
  readonly client: Redis
  stop(): Promise<void>
}

/** Commands of the runner itself, or of a new connection. */
const NOT_COUNTED = /^cmdstat_(info|ping|client|hello|config|command|select|memory|dbsize|monitor|auth)\b/

export async function openStore(): Promise<Store> {
  const server: RedisServer = await startRedis({ tcp: true })
  const client = new Redis(server.url)
  return {
    url: server.url,
    client,
    async commands() {
      return countCommands(await client.info('commandstats'))
    },
    async memory() {
      return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1] ?? 0)
    },
    async stop() {
      client.disconnect()
      await server.stop()
    },
  }
}

function countCommands(info: string): number {
  let sum = 0
  for (const line of info.split('\r\n')) {
    const calls = /^cmdstat_\S+:calls=(\d+)/.exec(line)?.[1]
    if (calls !== undefined && !NOT_COUNTED.test(line)) sum += Number(calls)
  }
  return sum
}
