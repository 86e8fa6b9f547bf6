import t from 'tap'
import { RecentRevocations } from '../../../../../plugins/lib/stores/redis/recent-revocations.js'
import { revocationKeys } from '../../../../../plugins/lib/stores/redis/revocations.js'
import { eventually, openFollowed, patientTwins } from '../../../../helpers/followed.js'
import { startRedis } from '../../../../helpers/redis-server.js'
import { signInRecord, storeContract } from '../../../../store-contract.js'

const server = await startRedis()
t.teardown(() => server.stop())

let stores = 0
const FAR = 2 ** 51

storeContract(t, 'followed', async (t) => {
  const prefix = `t${++stores}:`
  // The contract's times are far from the machine's own.
  const options = { prefix, commandTimeout: 5000, clock: () => FAR, referenceClock: () => FAR }
  const { store } = await openFollowed(t, server.url, options)
  const { store: other } = await openFollowed(t, server.url, options)
  await eventually(() => store.feed.healthy() && other.feed.healthy())
  const [patient, twin] = patientTwins([store, other])
  return { store: patient, twin }
})

t.test('a revocation that finds no room is known at once all the same', async (t) => {
  const { store } = await openFollowed(t, server.url, { prefix: `t${++stores}:`, maxRevocations: 1 })
  const generation = await store.generation()
  for (const signInId of ['one', 'two']) {
    await store.endSignIn('a', signInId, 2 ** 52)
    t.equal(await store.isLive({ accountId: 'a', signInId, epoch: 0, generation }), false, signInId)
  }
})

t.test('what a failover forgot is written again, for no longer than it is to be kept', async (t) => {
  const prefix = `t${++stores}:`
  const { store, client, changes } = await openFollowed(t, server.url, { prefix })
  const [list] = revocationKeys(prefix)
  const { id, accountId, absoluteExpiresAt } = signInRecord()
  await store.addSignIn(signInRecord())
  await store.endSignIn(accountId, id, 2 ** 52)
  const score = () => client.zscore(list, `s:${id}`).then(Number)
  const kept = absoluteExpiresAt + 3_600_000
  t.equal(await score(), kept)
  // This process may be ahead by an hour: what it keeps in mind has that margin, too.
  await store.sweep(kept + 3_600_000 - 1)
  t.equal(await score(), kept)
  changes.length = 0
  // Another count than the feed's: so it is interrupted.
  await client.multi().zrem(list, `s:${id}`).zincrby(list, 1, 'n').exec()
  await eventually(async () => (await score()) > 0)
  t.match(changes, [{ kind: 'feed_lost' }, { kind: 'feed_restored' }])
  t.equal(await score(), kept)
})

t.test('what was revoked lately is kept in mind, up to a bound', async (t) => {
  const recent = new RecentRevocations()
  for (let index = 0; index < 12_000; index++) recent.note([`s:${index}`, index, ''])
  recent.note(['s:6000', 1, ''])
  const kept = [...recent.batches()]
  t.ok(kept.every((batch) => batch.length <= 500))
  t.equal(kept.flat().length, 7000)
  t.strictSame(kept[0]?.[0], ['s:5000', 5000, ''], 'the oldest went')
  t.strictSame(
    kept.flat().filter(([member]) => member === 's:6000'),
    [['s:6000', 1, '']],
    'each once, as it was noted last',
  )
  recent.note(['e:a', -5, 20_000])
  recent.note(['e:b', -5, 20_001])
  recent.sweep(20_000)
  t.strictSame([...recent.batches()].flat(), [['e:b', -5, 20_001]], 'what has passed is not written again')
})

t.test(
  'there is a revision while the feed is healthy and everything has found room, and none otherwise',
  async (t) => {
    const { store } = await openFollowed(t, server.url, { prefix: `t${++stores}:`, maxRevocations: 1 })
    const generation = await store.generation()
    t.ok(store.revision() >= 0)
    for (const signInId of ['one', 'two']) await store.endSignIn('a', signInId, 2 ** 52)
    t.equal(store.revision(), -1, 'what found no room may be anything')
    t.equal(await store.isLive({ accountId: 'a', signInId: 'three', epoch: 0, generation }), true)

    const { store: other } = await openFollowed(t, server.url, { prefix: `t${++stores}:` })
    t.ok(other.revision() >= 0)
    await other.close()
    t.equal(other.feed.healthy(), false)
    t.equal(other.revision(), -1)
  },
)
