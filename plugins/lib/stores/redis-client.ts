import { Redis, type RedisOptions } from 'ioredis'
import { OptionInvalid, StoreUnavailable } from '../errors.js'
import type { RedisClient } from './redis-scripts.js'

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

const URL_WANTED = 'wants redis://… or rediss://…, or the path of a socket'

function checkUrl(url: string): void {
  if (url.startsWith('/') && !url.startsWith('//')) return
  if (URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol)) return
  throw new OptionInvalid('redisUrl', URL_WANTED)
}

/**
 * A client on which nothing hangs. It connects by itself, now and whenever the connection is lost; while
 * there is none, commands fail at once, and one that is not answered in time takes the connection with it
 * (a half-open connection would stay for minutes otherwise).
 * @param url `redis://`, `rediss://`, or the path of a Unix socket
 * @throws OPTION_INVALID; the message does not repeat the URL, which may hold a password
 */
export function openRedis(url: string, options: OpenRedisOptions = {}): Redis {
  checkUrl(url)
  const commandTimeout = options.commandTimeout ?? COMMAND_TIMEOUT
  const client = connect(url, {
    // RESP2: an old server answers HELLO 3 with an error that repeats its arguments, password included.
    protocol: 2,
    commandTimeout,
    socketTimeout: commandTimeout,
    connectTimeout: CONNECT_TIMEOUT,
    disconnectTimeout: 100,
    maxLoadingRetryTime: RECONNECT_DELAY_MAX,
    retryStrategy: reconnectDelay,
    // A refresh or a logout that was answered with 503 must not be carried out after all, later.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A primary that was demoted: its name may lead to the new one by now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  client.on('error', (error) => options.onError?.(withoutArguments(error)))
  return client
}

/** The driver refuses what is malformed inside a URL with errors that repeat it. */
function connect(url: string, options: RedisOptions): Redis {
  try {
    return new Redis(url, options)
  } catch {
    throw new OptionInvalid('redisUrl', URL_WANTED)
  }
}

/** Resolves when the client is connected, has failed to connect, or `timeout` ms have passed. */
export async function firstAttempt(client: RedisClient, timeout: number): Promise<void> {
  if (client.status === 'ready') return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, timeout)
    function done() {
      clearTimeout(timer)
      client.off('ready', done).off('error', done)
      resolve()
    }
    client.once('ready', done).once('error', done)
  })
}

/** Closes the client, politely where the server answers soon. Never hangs and never fails. */
export async function closeRedis(client: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, QUIT_DEADLINE)
  })
  const quit = client.quit().then(
    () => undefined,
    () => undefined,
  )
  await Promise.race([quit, deadline])
  clearTimeout(timer)
  client.disconnect()
}
