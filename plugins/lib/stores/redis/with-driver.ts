export { closeRedis, firstAttempt, openRedis } from './client.js'
export { openRedisStore, useRedis } from './open.js'
export { createRedisStore, RedisStore } from './store.js'
