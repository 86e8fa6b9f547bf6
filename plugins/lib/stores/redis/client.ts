import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { withDeadline } from '../../deadline.js'
import { OptionInvalid, StoreUnavailable } from '../../errors.js'
import type { RedisClient } from './scripts.js'
import { connectSentinels, stayClosed } from './sentinels.js'
import { type RedisTopology, readRedisUrl, URL_WANTED } from './topology.js'

export interface OpenRedisOptions {
  /** How long a command may take, in ms. */
  readonly commandTimeout?: number
  /** Called for each lost connection and each failed attempt to connect. The error names no credential. */
  readonly onError?: (error: Error) => void
}

export const COMMAND_TIMEOUT = 1000
const CONNECT_TIMEOUT = 2000
const RECONNECT_DELAY_MAX = 1000
const QUIT_DEADLINE = 250

/**
 * A copy of the error with its message only. The driver's own errors hold the command with its arguments, such as
 * session keys or the password. As a cause, they would reach the log.
 */
function withoutArguments(error: unknown): Error {
  return new Error(String(error))
}

/** STORE_UNAVAILABLE with a cause that is safe to log. */
export function redisFault(error: unknown): Error {
  return new StoreUnavailable({ cause: withoutArguments(error) })
}

/** From 50 ms, doubled up to a second. Never gives up, so that no restart is necessary when Redis is back. */
function reconnectDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt - 1, 10), RECONNECT_DELAY_MAX)
}

/** @throws OPTION_INVALID */
function readUrl(url: string): RedisTopology {
  if (url.startsWith('/') && !url.startsWith('//')) return { kind: 'server', url }
  const topology = readRedisUrl(url)
  if (topology === null) throw new OptionInvalid('redisUrl', URL_WANTED)
  return topology
}

/**
 * A client whose commands never hang. It connects now, and again whenever the connection is lost. Without a connection,
 * commands fail at once. If no answer to a command comes, it ends the connection: a half-open one would otherwise last
 * for minutes.
 * @param url `redis://`, `rediss://`, `redis+sentinel://`, `redis+cluster://`, or the path of a Unix socket
 * @throws OPTION_INVALID; the message does not repeat the URL, which may hold a password
 */
export function openRedis(url: string, options: OpenRedisOptions = {}): RedisClient {
  const client = connect(readUrl(url), options.commandTimeout ?? COMMAND_TIMEOUT)
  client.on('error', (error) => options.onError?.(withoutArguments(error)))
  return client
}

function settings(commandTimeout: number) {
  return {
    // RESP2: an old server answers HELLO 3 with an error that repeats its arguments, password included.
    protocol: 2 as const,
    // Longer than the store's own limit, because these timers only detect half-open connections. After a stall of the
    // event loop, they run before Node reads the answers that have arrived.
    socketTimeout: 2 * commandTimeout,
    commandTimeout: 2 * commandTimeout,
    connectTimeout: CONNECT_TIMEOUT,
    disconnectTimeout: 100,
    maxLoadingRetryTime: RECONNECT_DELAY_MAX,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A demoted primary answers so. Its host name may already lead to the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions
}

function connect(topology: RedisTopology, commandTimeout: number): RedisClient {
  if (topology.kind === 'cluster') return connectCluster(topology, commandTimeout)
  const options: RedisOptions = {
    ...settings(commandTimeout),
    retryStrategy: reconnectDelay,
    // A refresh or a sign-out that was answered with 503 must not be executed later.
    enableOfflineQueue: false,
  }
  if (topology.kind === 'server') return connectServer(topology.url, options)
  return connectSentinels(topology, options, commandTimeout)
}

/** The driver's error for a malformed URL repeats the URL. */
function connectServer(url: string, options: RedisOptions): Redis {
  try {
    return new Redis(url, options)
  } catch {
    throw new OptionInvalid('redisUrl', URL_WANTED)
  }
}

type ClusterTopology = Extract<RedisTopology, { kind: 'cluster' }>

/**
 * Repeats only commands that a node refused (MOVED), and none that it may have executed. A lost node leaves the pool.
 * The next command for its slots asks another node, which names the right one.
 */
function connectCluster({ nodes, access }: ClusterTopology, commandTimeout: number): Cluster {
  const cluster = new Cluster(
    nodes.map((node) => ({ ...node })),
    {
      clusterRetryStrategy: reconnectDelay,
      enableOfflineQueue: false,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      maxRedirections: 5,
      slotsRefreshTimeout: commandTimeout,
      // A command waits for its node's connection, but must not be executed after the store has given it up. So
      // connecting has the same time limit.
      redisOptions: { ...settings(commandTimeout), ...access, connectTimeout: commandTimeout },
    },
  )
  // Otherwise the first command to a node would connect, and commands that come meanwhile would fail.
  cluster.on('+node', (node: Redis) => void node.connect().catch(() => {}))
  return cluster
}

/** Resolves when the client is connected, has failed to connect, or `timeout` ms have passed. */
export async function firstAttempt(client: RedisClient, timeout: number): Promise<void> {
  await withDeadline(attempt(client), timeout, () => {})
}

async function attempt(client: RedisClient): Promise<void> {
  if (client.status !== 'ready') await settled(client, 'error')
  const nodes = 'nodes' in client ? client.nodes('master') : []
  await Promise.all(nodes.map((node) => node.status === 'ready' || settled(node, 'end')))
}

async function settled(client: RedisClient, failed: 'error' | 'end'): Promise<void> {
  await new Promise<void>((resolve) => {
    function done() {
      client.off('ready', done).off(failed, done)
      resolve()
    }
    client.once('ready', done).once(failed, done)
  })
}

/** Closes the client, with QUIT if the server answers it soon. Never hangs and never fails. */
export async function closeRedis(client: RedisClient): Promise<void> {
  stayClosed(client)
  const noop = () => {}
  await withDeadline(client.quit().then(noop, noop), QUIT_DEADLINE, noop)
  client.disconnect()
}
