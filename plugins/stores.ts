import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { StateBacking } from './lib/stores/backing.js'
import type { StateStore } from './lib/stores/contract.js'
import { createMemoryStore } from './lib/stores/memory/store.js'
import { type CheckedStores, checkStores, type StoresOptions } from './lib/stores/options.js'
import { loadRedis } from './lib/stores/redis/load.js'
import { asRedisClient } from './lib/stores/redis/scripts.js'
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
  const backing = await backingOf(opened, checked)
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

async function backingOf(
  store: StateStore,
  { choice, commandTimeout }: CheckedStores,
): Promise<StateBacking> {
  if (choice.kind === 'dataDir') return Object.freeze({ kind: 'sqlite', dataDir: choice.dataDir })
  if (choice.kind === 'memory') return IN_PROCESS
  const { RedisStore } = await loadRedis()
  if (!(store instanceof RedisStore)) return IN_PROCESS
  return Object.freeze({ kind: 'redis', client: store.client, commandTimeout })
}

async function open(app: FastifyInstance, checked: CheckedStores): Promise<StateStore> {
  const { choice } = checked
  switch (choice.kind) {
    case 'dataDir':
      return (await import('./lib/stores/sqlite/open.js')).openEmbeddedStore(choice.dataDir)
    case 'redisUrl':
      return (await loadRedis()).openRedisStore(app, choice.redisUrl, checked)
    case 'redis':
      return (await loadRedis()).useRedis(app, asRedisClient(choice.redis), checked)
    default:
      return createMemoryStore()
  }
}

export default fp(storesPlugin, { fastify: '5.x', name: 'fastify-identity-stores' })
