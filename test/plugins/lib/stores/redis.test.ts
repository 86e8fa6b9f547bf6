import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { closeRedis, firstAttempt, openRedis } from '../../../../plugins/lib/stores/redis-client.js'
import { createRedisStore } from '../../../../plugins/lib/stores/redis.js'
import { startRedis } from '../../../helpers/redis-server.js'
import { sessionRecord, signInRecord, storeContract } from '../../../store-contract.js'

const server = await startRedis()
t.teardown(() => server.stop())

let stores = 0

async function openStore(t: Test, prefix: string, url = server.url) {
  const client = openRedis(url)
  await firstAttempt(client, 2000)
  const store = createRedisStore(client, { prefix, onClose: () => closeRedis(client) })
  t.teardown(() => store.close())
  return { store, client }
}

storeContract(t, 'redis', async (t) => {
  const prefix = `t${++stores}:`
  const { store } = await openStore(t, prefix)
  const { store: twin } = await openStore(t, prefix)
  return { store, twin }
})
