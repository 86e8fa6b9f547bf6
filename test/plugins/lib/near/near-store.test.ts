import t from 'tap'
import { openNear, patientTwins } from '../../../helpers/near.js'
import { startRedis } from '../../../helpers/redis-server.js'
import { storeContract } from '../../../store-contract.js'

const server = await startRedis()
t.teardown(() => server.stop())

let stores = 0

storeContract(t, 'near', async (t) => {
  const prefix = `t${++stores}:`
  const { store } = await openNear(t, server.url, { prefix })
  const { store: other } = await openNear(t, server.url, { prefix })
  t.ok(store.feed.healthy() && other.feed.healthy())
  const [patient, twin] = patientTwins([store, other])
  return { store: patient, twin }
})
