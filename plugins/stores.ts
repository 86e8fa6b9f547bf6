import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { StateStore } from './lib/stores/contract.js'
import { openEmbeddedStore } from './lib/stores/embedded.js'
import { createMemoryStore } from './lib/stores/memory.js'
import { type CheckedStores, checkStores, type StoresOptions } from './lib/stores/options.js'
import { openRedisStore, useRedis } from './lib/stores/own-redis.js'
import { sweepRegularly } from './lib/stores/sweeper.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where sign-ins, sessions and revocations live. */
    stateStore: StateStore
  }
}

export type { Feed, FeedChange, StateStore } from './lib/stores/contract.js'
export type { StoresOptions } from './lib/stores/options.js'

/**
 * Chooses the store and owns its lifetime: what is opened here is swept here, and closed with the application.
 * @throws OPTION_INVALID, CONFIG_INVALID when another process serves the directory or Redis may evict
 *   revocations, STORE_UNAVAILABLE, DEPENDENCY_MISSING, all at boot
 */
async function storesPlugin(app: FastifyInstance, options: StoresOptions): Promise<void> {
  const checked = checkStores(options)
  if (checked.choice.kind === 'store') {
    app.decorate('stateStore', checked.choice.store)
    return
  }
  const store = await open(app, checked)
  const stopSweeping = sweepRegularly(store, checked.clock, app.log)
  app.addHook('onClose', async function closeStateStore() {
    stopSweeping()
    await store.close()
  })
  app.decorate('stateStore', store)
}

function open(app: FastifyInstance, checked: CheckedStores): StateStore | Promise<StateStore> {
  const { choice } = checked
  switch (choice.kind) {
    case 'dataDir':
      return openEmbeddedStore(choice.dataDir)
    case 'redisUrl':
      return openRedisStore(app, choice.redisUrl, checked)
    case 'redis':
      return useRedis(app, choice.redis, checked)
    default:
      return createMemoryStore()
  }
}

export default fp(storesPlugin, { fastify: '5.x', name: 'fastify-identity-stores' })
