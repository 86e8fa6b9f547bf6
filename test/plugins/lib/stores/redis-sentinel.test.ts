import t, { type Test } from 'tap'
import { createRedisStore } from '../../../../plugins/lib/stores/redis.js'
import { closeRedis, firstAttempt, openRedis } from '../../../../plugins/lib/stores/redis-client.js'
import { openNear, patientTwins } from '../../../helpers/near.js'
import { startSentinelSet } from '../../../helpers/redis-sentinel.js'
import { storeContract } from '../../../store-contract.js'

t.setTimeout(120_000)

const set = await startSentinelSet()
t.teardown(() => set.stop())

let prefixes = 0

async function openStore(t: Test, prefix: string) {
  const client = openRedis(set.url)
  await firstAttempt(client, 3000)
  const store = createRedisStore(client, { prefix, onClose: () => closeRedis(client) })
  t.teardown(() => store.close())
  return store
}

storeContract(t, 'sentinel', async (t) => {
  const prefix = `t${++prefixes}:`
  return { store: await openStore(t, prefix), twin: await openStore(t, prefix) }
})

storeContract(t, 'near a sentinel set', async (t) => {
  const prefix = `t${++prefixes}:`
  const { store } = await openNear(t, set.url, { prefix })
  const { store: other } = await openNear(t, set.url, { prefix })
  const [patient, twin] = patientTwins([store, other])
  return { store: patient, twin }
})
