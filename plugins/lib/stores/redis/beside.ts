import type { Cluster, RedisOptions } from 'ioredis'
import { withDeadline } from '../../deadline.js'
import type { RedisClient } from './scripts.js'

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

/** Those that are not known to be lost, for the ones that it was told of at first may all have gone. */
function knownNodes(cluster: Cluster) {
  // "wait": named by the others, and not asked yet.
  const known = cluster.nodes().filter(({ status }) => status === 'ready' || status === 'wait')
  return known.map(({ options: { host = '', port = 0 } }) => ({ host, port }))
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
        enableOfflineQueue: false,
        retryDelayOnFailover: 0,
        retryDelayOnClusterDown: 0,
        // It would ask any node, also one that is lost while the one that is wanted is not.
        enableReadyCheck: false,
        redisOptions: own,
      })
    : client.duplicate({ ...own, lazyConnect: true, retryStrategy: () => null })
  // What fails, fails where it was asked for.
  beside.on('error', () => {})
  return beside
}

/**
 * Rejects when it does not come to be in time; the connection has ended then. The driver alone would not do: a
 * cluster's `connect()` whose check fails ends the connection, and leaves its promise as it is for ever.
 */
export async function connectInTime(beside: RedisClient): Promise<void> {
  const fail = () => {
    throw new Error('The connection did not come to be')
  }
  const ended = new Promise<void>((resolve) => beside.once('end', resolve)).then(fail)
  try {
    await withDeadline(Promise.race([beside.connect(), ended]), CONNECT_TIMEOUT, fail)
  } catch (error) {
    beside.disconnect()
    throw error
  }
}
