import { existsSync } from 'node:fs'
import { databaseFile, openDatabase } from '../database/embedded.js'
import type { StateStore } from '../stores/contract.js'
import { loadRedis } from '../stores/redis/load.js'
import { createSqliteStore } from '../stores/sqlite/store.js'

export interface StatePlace {
  readonly redisUrl: string | null
  readonly dataDir: string
}

/** How long Redis may take, in ms. */
const TIMEOUT = 5000

/**
 * The store in which the server of the same environment keeps its sign-ins, or null where an embedded one does
 * not exist yet. The server may run meanwhile: the directory is not claimed. The caller closes it.
 * @throws STORE_UNAVAILABLE, DEPENDENCY_MISSING
 */
export async function openState({ redisUrl, dataDir }: StatePlace): Promise<StateStore | null> {
  if (redisUrl !== null) {
    const { closeRedis, createRedisStore, firstAttempt, openRedis } = await loadRedis()
    const client = openRedis(redisUrl, { commandTimeout: TIMEOUT })
    await firstAttempt(client, TIMEOUT)
    return createRedisStore(client, { commandTimeout: TIMEOUT, onClose: () => closeRedis(client) })
  }
  const file = databaseFile(dataDir)
  return existsSync(file) ? createSqliteStore(await openDatabase(file)) : null
}
