import { setTimeout as delay } from 'node:timers/promises'
import { Redis, SentinelConnector } from 'ioredis'
import t, { type Test } from 'tap'
import {
  COMMAND_TIMEOUT,
  closeRedis,
  firstAttempt,
  openRedis,
} from '../../../../../plugins/lib/stores/redis/client.js'
import { RedisStore } from '../../../../../plugins/lib/stores/redis/store.js'
import { FailoverLoad } from '../../../../helpers/failover-load.js'
import { eventually, openFollowed, patientTwins } from '../../../../helpers/followed.js'
import { startSentinelSet } from '../../../../helpers/redis-sentinel.js'
import { storeContract } from '../../../../store-contract.js'

t.setTimeout(600_000)

const set = await startSentinelSet()
t.teardown(() => set.stop())

/** Longer than any failover takes, on a machine that is busy with other things. In ms. */
const PATIENCE = 20_000
/** What the contract says has nothing to do with time. */
const PATIENT = { commandTimeout: 5000 }

let prefixes = 0

async function openStore(t: Test, prefix: string) {
  const client = openRedis(set.url, PATIENT)
  await firstAttempt(client, 3000)
  const store = new RedisStore(client, { ...PATIENT, prefix, onClose: () => closeRedis(client) })
  t.teardown(() => store.close())
  return store
}

storeContract(t, 'sentinel', async (t) => {
  const prefix = `t${++prefixes}:`
  return { store: await openStore(t, prefix), twin: await openStore(t, prefix) }
})

storeContract(t, 'followed, over a sentinel set', async (t) => {
  const prefix = `t${++prefixes}:`
  const { store } = await openFollowed(t, set.url, { ...PATIENT, prefix })
  const { store: other } = await openFollowed(t, set.url, { ...PATIENT, prefix })
  const [patient, twin] = patientTwins([store, other])
  return { store: patient, twin }
})

t.test(
  'a failover that is told of while the primary is being asked for does not end the client',
  async (t) => {
    const client = openRedis(set.url)
    t.teardown(() => closeRedis(client))
    await firstAttempt(client, 3000)
    const connector: unknown = Reflect.get(client, 'connector')
    // What the driver does then.
    client.once('connecting', () => connector instanceof SentinelConnector && connector.disconnect())
    let ends = 0
    client.on('end', () => ends++)
    client.disconnect(true)
    await eventually(() => ends === 1 && client.status === 'ready', PATIENCE)
    await closeRedis(client)
    await delay(200)
    t.equal(client.status, 'end', 'one that was closed stays closed')
  },
)

/** Has the sentinels fail over in order. They refuse while another failover is not yet settled. */
async function orderFailover(): Promise<void> {
  const admin = new Redis({ port: set.sentinels[0]?.port ?? 0, protocol: 2 })
  const isBegun = () =>
    admin.call('SENTINEL', 'FAILOVER', 'main').then(
      () => true,
      () => false,
    )
  await eventually(isBegun, PATIENCE).finally(() => admin.disconnect())
}

type Followed = Awaited<ReturnType<typeof openFollowed>>

/** Until another primary is named, both instances hear of revocations again, and endings are stored. */
async function failOver(load: FailoverLoad, followed: readonly Followed[], begin: () => Promise<void>) {
  const old = await set.primary()
  for (const { changes } of followed) changes.length = 0
  await begin()
  await eventually(async () => (await set.primary()) !== old, PATIENCE)
  await eventually(() => followed.every(({ changes }) => changes.at(-1)?.kind === 'feed_restored'), PATIENCE)
  const before = load.ended.length
  await eventually(() => load.ended.length > before + 20, PATIENCE)
}

t.test(
  'failovers under load: what was answered as ended stays ended, and they go on by themselves',
  async (t) => {
    const followed = [await openFollowed(t, set.url), await openFollowed(t, set.url)] as const
    const generation = await followed[0].store.generation()
    const load = new FailoverLoad([followed[0].store, followed[1].store])
    t.teardown(() => load.stop())
    await eventually(() => load.ended.length > 100, PATIENCE)
    await failOver(load, followed, set.killPrimary)
    t.ok(load.unavailable > 0, 'what could not be stored was refused')
    await failOver(load, followed, orderFailover)
    await load.stop()
    t.strictSame([...load.wrong], [])
    t.ok(load.slowest < 2 * COMMAND_TIMEOUT, `the slowest took ${load.slowest} ms`)
    t.equal(await followed[0].store.generation(), generation, 'nobody had to sign in again')
    const { store: later } = await openFollowed(t, set.url)
    for (const store of [...load.stores, later]) t.strictSame(await load.acceptedBy(store), [])
    for (const { store } of followed) await eventually(() => store.feed.healthy())
  },
)
