import type { Cluster, RedisOptions } from 'ioredis'
import type { RedisClient } from './redis-scripts.js'

const CONNECT_TIMEOUT = 2000

/** How the further connections behave: each is used until it fails, and then a new one is made. */
const ONCE: RedisOptions = {
  protocol: 2,
  connectTimeout: CONNECT_TIMEOUT,
  disconnectTimeout: 100,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: null,
  sentinelRetryStrategy: () => null,
  failoverDetector: false,
}

function isCluster(client: RedisClient): client is Cluster {
  return 'nodes' in client
}

/** Those that answer now, for the ones that it was told of may all have gone. */
function knownNodes(cluster: Cluster) {
  const ready = cluster.nodes().filter(({ status }) => status === 'ready')
  return ready.map(({ options: { host = '', port = 0 } }) => ({ host, port }))
}

/**
 * A connection of its own to where `client` leads, not connected yet.
 * @param silence how long it may take to hear something after a command, in ms: then it is half-open, and ends
 */
export function besideOf(client: RedisClient, silence: number): RedisClient {
  const own = { ...ONCE, socketTimeout: silence, commandTimeout: silence }
  const beside = isCluster(client)
    ? client.duplicate(knownNodes(client), {
        lazyConnect: true,
        clusterRetryStrategy: () => null,
        redisOptions: own,
      })
    : client.duplicate({ ...own, lazyConnect: true, retryStrategy: () => null })
  // What fails, fails where it was asked for.
  beside.on('error', () => {})
  return beside
}

/** Rejects when it does not come to be in time; the connection has ended then. */
export async function connectInTime(beside: RedisClient): Promise<void> {
  const timer = setTimeout(() => beside.disconnect(), CONNECT_TIMEOUT)
  try {
    await beside.connect()
  } catch (error) {
    beside.disconnect()
    throw error
  } finally {
    clearTimeout(timer)
  }
}
