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

/** Where the application finds the client: `app.redis.identity`. */
const NAMESPACE = 'identity'

type Settings = Omit<CheckedStores, 'choice'>

/**
 * The store in a Redis that is reached over a connection of its own. A Redis that is down delays the start
 * by no more than `commandTimeout` (ms): the application starts, refuses what needs it, and recovers.
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
 * The store over a client. One that is connected is looked at, and waited for until its feed is there (no
 * longer than `commandTimeout`).
 * @throws OPTION_INVALID, CONFIG_INVALID when Redis may evict revocations and `evictionRisk` is `refuse`
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
  // A start that has begun can no longer be refused.
  if (isThere) await look(evictionRisk)
  else client.once('ready', () => void look('warn'))
  const store = new FollowedStore(client, { clock, referenceClock, commandTimeout, maxRevocations, onClose })
  tellOfClock(app.log, store.clock)
  if (isThere) await store.feed.settle(commandTimeout)
  store.feed.onChange((change) => logChange(app.log, change))
  return store
}

function logChange(log: FastifyBaseLogger, { kind, reason }: FeedChange): void {
  if (kind === 'feed_lost')
    log.warn({ reason }, 'Revocations are not being heard of: each request asks Redis.')
  else log.info({ reason }, 'Revocations are being heard of.')
}

/**
 * @fastify/redis waits until its client is ready, and fails the application after 10 s when Redis is down. It
 * does not wait for one that says that it is: so it is handed a view of the client that does, and
 * what it then shares is the client itself.
 */
async function shareClient(app: FastifyInstance, client: RedisClient): Promise<void> {
  const { default: fastifyRedis } = await loadOptional(
    '@fastify/redis',
    () => import('@fastify/redis'),
    'Redis',
  )
  const ready: RedisClient = Object.create(client, { status: { value: 'ready' } })
  await app.register(fastifyRedis, { client: ready, namespace: NAMESPACE })
  // Its types know of no cluster there.
  Reflect.set(app.redis, NAMESPACE, client)
}
