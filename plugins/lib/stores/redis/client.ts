import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { withDeadline } from '../../deadline.js'
import { OptionInvalid, StoreUnavailable } from '../../errors.js'
import type { RedisClient } from './scripts.js'
import { connectSentinels, stayClosed } from './sentinels.js'
import { type RedisTopology, readRedisUrl, URL_WANTED } from './topology.js'

export interface OpenRedisOptions {
  /** How long a command may take, in ms. */
  readonly commandTimeout?: number
  /** Told of each lost connection and each failed attempt to connect. The error names no credential. */
  readonly onError?: (error: Error) => void
}

export const COMMAND_TIMEOUT = 1000
const CONNECT_TIMEOUT = 2000
const RECONNECT_DELAY_MAX = 1000
const QUIT_DEADLINE = 250

/**
 * What went wrong, as text alone. The driver hangs the command with its arguments on its errors: session
 * keys, and in the handshake the password, would go to the log with the cause.
 */
function withoutArguments(error: unknown): Error {
  return new Error(String(error))
}

/** STORE_UNAVAILABLE with a cause that is fit for the log. */
export function redisFault(error: unknown): Error {
  return new StoreUnavailable({ cause: withoutArguments(error) })
}

/** 50 ms, doubled up to a second, and never given up: Redis coming back is noticed without a restart. */
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
 * A client on which nothing hangs. It connects by itself, now and whenever the connection is lost; while
 * there is none, commands fail at once, and silence after a command takes the connection with it
 * (a half-open connection would stay for minutes otherwise).
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
    // The store judges each operation. What the driver's timers judge is whether the connection is half-open:
    // after a stall of the event loop they run before the answers that have come meanwhile are read.
    socketTimeout: 2 * commandTimeout,
    commandTimeout: 2 * commandTimeout,
    connectTimeout: CONNECT_TIMEOUT,
    disconnectTimeout: 100,
    maxLoadingRetryTime: RECONNECT_DELAY_MAX,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A primary that was demoted: its name may lead to the new one by now.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions
}

function connect(topology: RedisTopology, commandTimeout: number): RedisClient {
  if (topology.kind === 'cluster') return connectCluster(topology, commandTimeout)
  const options: RedisOptions = {
    ...settings(commandTimeout),
    retryStrategy: reconnectDelay,
    // A refresh or a logout that was answered with 503 must not be carried out after all, later.
    enableOfflineQueue: false,
  }
  if (topology.kind === 'server') return connectServer(topology.url, options)
  return connectSentinels(topology, options, commandTimeout)
}

/** The driver refuses what is malformed inside a URL with errors that repeat it. */
function connectServer(url: string, options: RedisOptions): Redis {
  try {
    return new Redis(url, options)
  } catch {
    throw new OptionInvalid('redisUrl', URL_WANTED)
  }
}

type ClusterTopology = Extract<RedisTopology, { kind: 'cluster' }>

/**
 * Nothing is tried again that a node may have carried out. What a node refused to carry out (MOVED) is.
 * A node that is lost leaves the pool; the next command for its slots asks another one, which names it again.
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
      // A command waits for its node's connection, and must not be carried out after it was given up.
      redisOptions: {
        ...settings(commandTimeout),
        ...access,
        connectTimeout: commandTimeout,
      },
    },
  )
  // Else the first command to each would make the connection, and those that come meanwhile would fail.
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

/** Closes the client, politely where the server answers soon. Never hangs and never fails. */
export async function closeRedis(client: RedisClient): Promise<void> {
  stayClosed(client)
  const noop = () => {}
  await withDeadline(client.quit().then(noop, noop), QUIT_DEADLINE, noop)
  client.disconnect()
}
