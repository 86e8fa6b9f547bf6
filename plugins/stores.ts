import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { StateBacking } from './lib/stores/backing.js'
import type { StateStore } from './lib/stores/contract.js'
import { createMemoryStore } from './lib/stores/memory/store.js'
import { type CheckedStores, checkStores, type StoresOptions } from './lib/stores/options.js'
import { openRedisStore, useRedis } from './lib/stores/redis/open.js'
import { RedisStore } from './lib/stores/redis/store.js'
import { openEmbeddedStore } from './lib/stores/sqlite/open.js'
import { sweepRegularly } from './lib/stores/sweeper.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where sign-ins, sessions and revocations live. */
    stateStore: StateStore
    /** What it keeps them in, for what is kept beside them. */
    readonly stateBacking: StateBacking
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
    app.decorate('stateStore', metered(app, checked.choice.store))
    app.decorate('stateBacking', { getter: () => IN_PROCESS })
    return
  }
  const opened = await open(app, checked)
  const backing = backingOf(opened, checked)
  const store = metered(app, opened)
  const stopSweeping = sweepRegularly(store, checked.clock, app.log)
  app.addHook('onClose', async function closeStateStore() {
    stopSweeping()
    await store.close()
  })
  app.decorate('stateStore', store)
  app.decorate('stateBacking', { getter: () => backing })
}

/** Only where there are metrics is anything measured. */
function metered(app: FastifyInstance, store: StateStore): StateStore {
  return app.hasDecorator('identityMetrics') ? app.identityMetrics.meters.store(store) : store
}

const IN_PROCESS: StateBacking = Object.freeze({ kind: 'process' })

function backingOf(store: StateStore, { choice, commandTimeout }: CheckedStores): StateBacking {
  if (choice.kind === 'dataDir') return Object.freeze({ kind: 'sqlite', dataDir: choice.dataDir })
  if (!(store instanceof RedisStore)) return IN_PROCESS
  return Object.freeze({ kind: 'redis', client: store.client, commandTimeout })
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
