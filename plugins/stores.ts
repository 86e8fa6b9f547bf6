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
    /** The storage behind it, for plugins that keep further state there. */
    readonly stateBacking: StateBacking
  }
}

export type { Feed, FeedChange, StateStore } from './lib/stores/contract.js'
export type { StoresOptions } from './lib/stores/options.js'
/** A store in this process's memory: `{ store }` lets several applications of one test share it. */
export { createMemoryStore }

/**
 * Opens the store, sweeps it, and closes it with the application. A store that the application brings is swept and
 * closed by the application.
 * @throws OPTION_INVALID, CONFIG_INVALID if another process serves the directory or Redis may evict
 *   revocations, STORE_UNAVAILABLE, DEPENDENCY_MISSING, all at boot
 */
async function storesPlugin(app: FastifyInstance, options: StoresOptions): Promise<void> {
  const checked = checkStores(options)
  const { store: opened, backing } = await open(app, checked)
  // Nothing is measured unless metrics are registered.
  const store = app.hasDecorator('identityMetrics') ? app.identityMetrics.meters.store(opened) : opened
  app.decorate('stateStore', store)
  app.decorate('stateBacking', { getter: () => backing })
  if (checked.choice.kind === 'store') return
  const stopSweeping = sweepRegularly(store, checked.clock, app.log)
  app.addHook('onClose', async function closeStateStore() {
    stopSweeping()
    await store.close()
  })
}

interface Opened {
  readonly store: StateStore
  readonly backing: StateBacking
}

const IN_PROCESS: StateBacking = Object.freeze({ kind: 'process' })

async function open(app: FastifyInstance, checked: CheckedStores): Promise<Opened> {
  const { choice, commandTimeout } = checked
  if (choice.kind === 'memory') return { store: createMemoryStore(), backing: IN_PROCESS }
  if (choice.kind === 'store') return { store: choice.store, backing: IN_PROCESS }
  if (choice.kind === 'dataDir') {
    const { openEmbeddedStore } = await import('./lib/stores/sqlite/open.js')
    const { dataDir } = choice
    return { store: await openEmbeddedStore(dataDir), backing: Object.freeze({ kind: 'sqlite', dataDir }) }
  }
  const { openRedisStore, useRedis } = await loadRedis()
  const store = await (choice.kind === 'redisUrl'
    ? openRedisStore(app, choice.redisUrl, checked)
    : useRedis(app, asRedisClient(choice.redis), checked))
  return { store, backing: Object.freeze({ kind: 'redis', client: store.client, commandTimeout }) }
}

export default fp(storesPlugin, { fastify: '5.x', name: 'fastify-identity-stores' })
