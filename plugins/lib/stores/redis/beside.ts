import type { Cluster, RedisOptions } from 'ioredis'
import { withDeadline } from '../../deadline.js'
import type { RedisClient } from './scripts.js'

const CONNECT_TIMEOUT = 2000

/** Additional connections are not repaired: when one fails, a new one replaces it. */
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

/** The nodes that the client does not know to be lost. All of the original ones may be gone. */
function knownNodes(cluster: Cluster) {
  // "wait": other nodes have named it, and it is not connected yet.
  const known = cluster.nodes().filter(({ status }) => status === 'ready' || status === 'wait')
  return known.map(({ options: { host = '', port = 0 } }) => ({ host, port }))
}

/**
 * An additional connection to the servers of `client`, not connected yet.
 * @param silence after a command, the connection counts as half-open and ends if nothing comes for this time, in ms
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
        // The check may ask a lost node although the wanted node is up.
        enableReadyCheck: false,
        redisOptions: own,
      })
    : client.duplicate({ ...own, lazyConnect: true, retryStrategy: () => null })
  // The failed command reports each fault to its caller.
  beside.on('error', () => {})
  return beside
}

/**
 * Connects. If that takes too long, ends the connection and rejects. Without this limit, a cluster's `connect()` stays
 * pending for ever if the driver's check fails.
 */
export async function connectInTime(beside: RedisClient): Promise<void> {
  const fail = () => {
    throw new Error('The connection could not be made')
  }
  const ended = new Promise<void>((resolve) => beside.once('end', resolve)).then(fail)
  try {
    await withDeadline(Promise.race([beside.connect(), ended]), CONNECT_TIMEOUT, fail)
  } catch (error) {
    beside.disconnect()
    throw error
  }
}
