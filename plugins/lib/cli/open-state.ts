import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.js'
import { developmentSecret } from '../config/development-secret.js'
import { databaseFile, openDatabase } from '../database/embedded.js'
import type { StateStore } from '../stores/contract.js'
import { loadRedis } from '../stores/redis/load.js'
import { createSqliteStore } from '../stores/sqlite/store.js'
import { CommandFailed } from './command.js'

export interface StatePlace {
  readonly redisUrl: string | null
  readonly dataDir: string
}

/** How long Redis may take, in ms. */
const TIMEOUT = 5000

/**
 * The store in which the server of the same environment keeps its sign-ins; null if the embedded one does not exist
 * yet. The directory is not claimed, so the server may run at the same time. The caller closes the store.
 * @throws STORE_UNAVAILABLE, DEPENDENCY_MISSING
 */
export async function openState({ redisUrl, dataDir }: StatePlace): Promise<StateStore | null> {
  if (redisUrl !== null) {
    const { closeRedis, RedisStore, firstAttempt, openRedis } = await loadRedis()
    const client = openRedis(redisUrl, { commandTimeout: TIMEOUT })
    await firstAttempt(client, TIMEOUT)
    return new RedisStore(client, { commandTimeout: TIMEOUT, onClose: () => closeRedis(client) })
  }
  const file = databaseFile(dataDir)
  return existsSync(file) ? createSqliteStore(await openDatabase(file)) : null
}

/**
 * The secrets of the server in the same environment. This generates no secret, because nothing could be verified with a
 * new one.
 * @throws CommandFailed if there are none yet
 */
export function secretsOf({ secrets, dataDir }: Config): readonly string[] {
  if (secrets) return secrets
  if (existsSync(join(dataDir, 'secret'))) return [developmentSecret(dataDir)]
  throw new CommandFailed(`AUTH_SECRETS is not set, and there is no generated secret in ${dataDir} yet.`)
}
