import Fastify from 'fastify'
import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisStore } from '../../../../plugins/lib/stores/redis.js'
import { closeRedis, firstAttempt, openRedis } from '../../../../plugins/lib/stores/redis-client.js'
import { revocationKeys } from '../../../../plugins/lib/stores/redis-revocations.js'
import stores from '../../../../plugins/stores.js'
import { eventually, openNear, patientTwins } from '../../../helpers/near.js'
import { type RedisCluster, startCluster } from '../../../helpers/redis-cluster.js'
import { sessionRecord, storeContract } from '../../../store-contract.js'

t.setTimeout(120_000)

const cluster: RedisCluster = await startCluster()
t.teardown(() => cluster.stop())

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' }
const UNTIL = 2 ** 52

let prefixes = 0

function newPrefix(): string {
  return `t${++prefixes}:`
}

async function openStore(t: Test, prefix: string) {
  const client = openRedis(cluster.url)
  await firstAttempt(client, 3000)
  const store = createRedisStore(client, { prefix, onClose: () => closeRedis(client) })
  t.teardown(() => store.close())
  return store
}

storeContract(t, 'cluster', async (t) => {
  const prefix = newPrefix()
  return { store: await openStore(t, prefix), twin: await openStore(t, prefix) }
})

storeContract(t, 'near a cluster', async (t) => {
  const prefix = newPrefix()
  const { store } = await openNear(t, cluster.url, { prefix })
  const { store: other } = await openNear(t, cluster.url, { prefix })
  t.ok(store.feed.healthy() && other.feed.healthy())
  const [patient, twin] = patientTwins([store, other])
  return { store: patient, twin }
})

/** A key for a session on each node. */
async function keysByNode(prefix: string): Promise<Map<number, string>> {
  const keys = new Map<number, string>()
  for (let i = 0; keys.size < cluster.nodes.length; i++) {
    const { port } = await cluster.masterOf(`${prefix}se:k${i}`)
    if (!keys.has(port)) keys.set(port, `k${i}`)
  }
  return keys
}

t.test('the first operations at once do not find a node that is not connected yet', async (t) => {
  const store = await openStore(t, newPrefix())
  const created = await Promise.all(
    Array.from({ length: 60 }, (_, index) => store.createSession(`k${index}`, sessionRecord())),
  )
  t.notOk(created.includes(false))
})

t.test('a lost master is 503 for what it has; the others go on, and it is found again', async (t) => {
  const prefix = newPrefix()
  const { store } = await openNear(t, cluster.url, { prefix })
  const list = await cluster.masterOf(revocationKeys(prefix)[0])
  const keys = await keysByNode(prefix)
  const lost = cluster.nodes.find((node) => node !== list)
  if (!lost) throw new Error('There is one node only.')
  for (const key of keys.values()) await store.createSession(key, sessionRecord())
  await lost.kill()
  for (const [port, key] of keys) {
    for (let i = 0; i < 5; i++) {
      const read = async () => store.readSession(key, 0)
      if (port === lost.port) await t.rejects(read(), UNAVAILABLE)
      else await eventually(async () => (await read().catch(() => null)) !== null)
    }
  }
  t.ok(store.feed.healthy(), 'the list is elsewhere')
  t.equal(await store.endSignIn(keys.get(list.port) ?? '', 's', UNTIL).catch(() => false), false)
  await lost.start()
  const key = keys.get(lost.port) ?? ''
  await eventually(() => store.createSession(key, sessionRecord()).catch(() => false), 10_000)
})

t.test('a cluster is shared as app.redis.identity, and closed with the application', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(stores, { redisUrl: cluster.url })
  await app.ready()
  t.ok(app.redis.identity instanceof Cluster)
  t.ok(app.stateStore.feed?.healthy())
  await app.stateStore.ping()
  await app.close()
  await t.rejects(app.stateStore.ping(), UNAVAILABLE)
})

t.test('no node answers at the start: 503, and found later', async (t) => {
  for (const node of cluster.nodes) await node.kill()
  const store = await openStore(t, newPrefix())
  await t.rejects(async () => store.generation(), UNAVAILABLE)
  await Promise.all(cluster.nodes.map((node) => node.start()))
  await eventually(async () => {
    return Number(await Promise.resolve(store.generation()).catch(() => 0)) > 0
  }, 15_000)
})
