import { databaseFile, lockDataDir, openDatabase } from '../../database/embedded.js'
import type { StateStore } from '../contract.js'
import { createSqliteStore } from './store.js'

/**
 * Opens the store in the embedded file of a directory. Claims the directory for this process until the store is closed.
 * @throws CONFIG_INVALID if another process serves it, STORE_UNAVAILABLE, DEPENDENCY_MISSING
 */
export async function openEmbeddedStore(dataDir: string): Promise<StateStore> {
  const lock = await lockDataDir(dataDir)
  try {
    const database = await openDatabase(databaseFile(dataDir))
    const close = async () => {
      await database.close()
      lock.release()
    }
    return createSqliteStore({ ...database, close })
  } catch (error) {
    lock.release()
    throw error
  }
}
