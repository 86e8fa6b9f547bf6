import fastifyRedis from '@fastify/redis'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import type { StateStore } from './contract.js'
import { createRedisStore } from './redis.js'
import { closeRedis, firstAttempt, openRedis } from './redis-client.js'

/** Where the application finds the client: `app.redis.identity`. */
const NAMESPACE = 'identity'

/**
 * The store in a Redis that is reached over a connection of its own. A Redis that is down delays the start
 * by no more than `commandTimeout` (ms): the application starts, refuses what needs it, and recovers.
 * @throws OPTION_INVALID
 */
export async function openRedisStore(
  app: FastifyInstance,
  redisUrl: string,
  commandTimeout: number,
): Promise<StateStore> {
  const log = connectionLog(app.log)
  const client = openRedis(redisUrl, { commandTimeout, onError: log.lost })
  client.on('ready', log.found)
  const onClose = () => closeRedis(client)
  try {
    await firstAttempt(client, commandTimeout)
    await shareClient(app, client)
  } catch (error) {
    await onClose()
    throw error
  }
  return createRedisStore(client, { commandTimeout, onClose })
}

/** One line when Redis goes and one when it comes back, not one for each attempt. */
function connectionLog(log: FastifyBaseLogger) {
  let isLost = false
  return {
    lost(err: Error) {
      if (!isLost) log.error({ err }, 'Redis does not answer.')
      isLost = true
    },
    found() {
      if (isLost) log.info('Redis answers again.')
      isLost = false
    },
  }
}

/**
 * @fastify/redis waits until its client is ready, and fails the application after 10 s when Redis is down. It
 * does not wait for one that says that it is: so it is handed a view of the client that does, and
 * what it then shares is the client itself.
 */
async function shareClient(app: FastifyInstance, client: Redis): Promise<void> {
  const ready: Redis = Object.create(client, { status: { value: 'ready' } })
  await app.register(fastifyRedis, { client: ready, namespace: NAMESPACE })
  app.redis[NAMESPACE] = client
}
