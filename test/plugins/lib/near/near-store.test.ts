import t from 'tap'
import { RecentRevocations } from '../../../../plugins/lib/near/recent-revocations.js'
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

t.test('what was revoked lately is kept in mind, up to a bound', async (t) => {
  const recent = new RecentRevocations()
  for (let index = 0; index < 10_050; index++) recent.note([`s:${index}`, index, ''])
  recent.note(['s:60', 1, ''])
  const kept = [...recent.batches()]
  t.ok(kept.every((batch) => batch.length <= 500))
  t.equal(kept.flat().length, 10_000)
  t.strictSame(kept[0]?.[0], ['s:50', 50, ''], 'the oldest went')
  t.strictSame(kept.at(-1)?.at(-1), ['s:60', 1, ''], 'each once, as it was noted last')
})
