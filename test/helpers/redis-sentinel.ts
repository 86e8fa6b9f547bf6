import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { Redis } from 'ioredis'
import { eventually } from './followed.js'
import { type RedisServer, startRedis } from './redis-server.js'

/** A primary with two replicas, and three sentinels that watch them. */
export interface RedisSentinelSet {
  /** For REDIS_URL. */
  readonly url: string
  readonly sentinels: readonly RedisServer[]
  /** The primary that the sentinels name now. */
  primary(): Promise<RedisServer>
  /** Kills it (SIGKILL), for good. */
  killPrimary(): Promise<void>
  stop(): Promise<void>
}

const NAME = 'main'
const REPLICATION = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1']

function watch(port: number): string {
  return [
    `sentinel monitor ${NAME} 127.0.0.1 ${port} 2`,
    `sentinel down-after-milliseconds ${NAME} 500`,
    `sentinel failover-timeout ${NAME} 5000`,
  ].join('\n')
}

async function ask<T>(port: number, question: (admin: Redis) => Promise<T>): Promise<T> {
  const admin = new Redis({ port, protocol: 2, retryStrategy: () => null })
  admin.on('error', () => {})
  try {
    return await question(admin)
  } finally {
    admin.disconnect()
  }
}

async function named(port: number): Promise<string> {
  const answer = await ask(port, (admin) => admin.call('SENTINEL', 'get-master-addr-by-name', NAME))
  return Array.isArray(answer) ? String(answer[1]) : ''
}

/**
 * Sentinels go on looking for a server that was killed: somebody else's that was given its port would be made a
 * replica. So the port stays taken.
 */
async function takePort(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** The replicas are in step, and the sentinels know of them and of each other. */
async function isComplete(sentinels: readonly RedisServer[]): Promise<boolean> {
  for (const { port } of sentinels) {
    const info = await ask(port, (admin) => admin.call('INFO', 'sentinel'))
    if (!/status=ok,.*slaves=2,sentinels=3/.test(String(info))) return false
  }
  return true
}

export async function startSentinelSet(): Promise<RedisSentinelSet> {
  const started: RedisServer[] = []
  const start = async (options: Parameters<typeof startRedis>[0]) => {
    const server = await startRedis(options)
    started.push(server)
    return server
  }
  const taken: Server[] = []
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
    for (const server of taken) server.close()
  }
  try {
    const primary = await start({ tcp: true, args: REPLICATION })
    const args = [...REPLICATION, '--replicaof', '127.0.0.1', String(primary.port)]
    const replicas = await Promise.all([1, 2].map(() => start({ tcp: true, args })))
    const isFollowed = async () => {
      const info = await ask(primary.port, (admin) => admin.info('replication'))
      return info.match(/state=online,offset=[1-9]/g)?.length === 2
    }
    await eventually(isFollowed, 10_000)
    const sentinels = await Promise.all([1, 2, 3].map(() => start({ sentinel: watch(primary.port) })))
    await eventually(() => isComplete(sentinels), 15_000)
    const servers = [primary, ...replicas]
    const findPrimary = async () => {
      const port = await named(sentinels[0]?.port ?? 0)
      const found = servers.find((server) => String(server.port) === port)
      if (!found) throw new Error('The sentinels name no primary of ours.')
      return found
    }
    return {
      url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join()}/${NAME}`,
      sentinels,
      primary: findPrimary,
      async killPrimary() {
        const killed = await findPrimary()
        await killed.kill()
        taken.push(await takePort(killed.port))
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
