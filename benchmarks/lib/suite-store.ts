import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { closeRedis, firstAttempt, openRedis } from '../../plugins/lib/stores/redis/client.js'
import { FollowedStore } from '../../plugins/lib/stores/redis/followed-store.js'
import { RedisStore } from '../../plugins/lib/stores/redis/store.js'
import { openEmbeddedStore } from '../../plugins/lib/stores/sqlite/open.js'

/** In ms. A command of a bulk waits behind hundreds of others. */
const BULK_TIMEOUT = 30_000

/** The suite's store in Redis, without a copy of the revocations in this process. */
export async function openRedisState(url: string): Promise<StateStore> {
  const client = openRedis(url, { commandTimeout: BULK_TIMEOUT })
  await firstAttempt(client, 2000)
  return new RedisStore(client, { commandTimeout: BULK_TIMEOUT, onClose: () => closeRedis(client) })
}

/** The same with the copy. Resolves when it is complete. */
export async function openFollowedState(url: string) {
  const client = openRedis(url)
  await firstAttempt(client, 2000)
  const store = new FollowedStore(client, { onClose: () => closeRedis(client) })
  await store.feed.settle(2000)
  return store
}

/** Opens the store of a directory or of a Redis, works on it, and closes it. */
export async function withState(
  place: { readonly dataDir: string } | { readonly redisUrl: string },
  work: (store: StateStore) => Promise<void>,
): Promise<void> {
  const store =
    'dataDir' in place ? await openEmbeddedStore(place.dataDir) : await openRedisState(place.redisUrl)
  try {
    await work(store)
  } finally {
    await store.close()
  }
}
