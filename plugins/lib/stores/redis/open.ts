import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { connectionLog } from '../../connection-log.js'
import { loadOptional } from '../../optional.js'
import type { FeedChange } from '../contract.js'
import type { CheckedStores, EvictionRisk } from '../options.js'
import { closeRedis, firstAttempt, openRedis } from './client.js'
import { tellOfClock } from './clock.js'
import { checkEviction } from './eviction.js'
import { FollowedStore } from './followed-store.js'
import { revocationKeys } from './revocations.js'
import { PREFIX, type RedisClient } from './scripts.js'

export { closeRedis, firstAttempt, openRedis } from './client.js'
export { RedisStore } from './store.js'

/** The application finds the client as `app.redis.identity`. */
const NAMESPACE = 'identity'

type Settings = Omit<CheckedStores, 'choice'>

/**
 * Opens the store over its own connection. A Redis that is down delays the start by at most `commandTimeout` (ms). Then
 * the application refuses everything that needs Redis, until Redis is back.
 * @throws OPTION_INVALID, CONFIG_INVALID
 */
export async function openRedisStore(
  app: FastifyInstance,
  redisUrl: string,
  settings: Settings,
): Promise<FollowedStore> {
  const log = connectionLog(app.log, 'Redis')
  const client = openRedis(redisUrl, { commandTimeout: settings.commandTimeout, onError: log.lost })
  client.on('ready', log.found)
  const onClose = () => closeRedis(client)
  try {
    await firstAttempt(client, settings.commandTimeout)
    await shareClient(app, client)
    return await useRedis(app, client, settings, onClose)
  } catch (error) {
    await onClose()
    throw error
  }
}

/**
 * Opens the store over a client. If the client is connected, checks Redis, and waits for the feed, for `commandTimeout`
 * (ms) at most.
 * @throws OPTION_INVALID, CONFIG_INVALID if Redis may evict revocations and `evictionRisk` is `refuse`
 */
export async function useRedis(
  app: FastifyInstance,
  client: RedisClient,
  settings: Settings,
  onClose?: () => Promise<void>,
): Promise<FollowedStore> {
  const { clock, referenceClock, commandTimeout, maxRevocations, evictionRisk } = settings
  await firstAttempt(client, commandTimeout)
  const isThere = client.status === 'ready'
  const look = (risk: EvictionRisk) => checkEviction(client, revocationKeys(PREFIX)[0], risk, app.log)
  // Later the application is already running, and only a warning is possible.
  if (isThere) await look(evictionRisk)
  else client.once('ready', () => void look('warn'))
  const store = new FollowedStore(client, { clock, referenceClock, commandTimeout, maxRevocations, onClose })
  tellOfClock(app.log, store.clock)
  if (isThere) await store.feed.settle(commandTimeout)
  store.feed.onChange((change) => logChange(app.log, change))
  return store
}

function logChange(log: FastifyBaseLogger, { kind, reason }: FeedChange): void {
  if (kind === 'feed_lost') log.warn({ reason }, 'The feed of revocations is lost: each request asks Redis.')
  else log.info({ reason }, 'The feed of revocations is restored.')
}

/**
 * @fastify/redis waits until its client is ready, and fails the application after 10 s if Redis is down. So it gets a
 * view of the client that claims to be ready. Then the client itself replaces the view.
 */
async function shareClient(app: FastifyInstance, client: RedisClient): Promise<void> {
  const load = () => import('@fastify/redis')
  const { default: fastifyRedis } = await loadOptional('@fastify/redis', load, 'Redis')
  const ready: RedisClient = Object.create(client, { status: { value: 'ready' } })
  await app.register(fastifyRedis, { client: ready, namespace: NAMESPACE })
  // The types of @fastify/redis allow no cluster there.
  Reflect.set(app.redis, NAMESPACE, client)
}
