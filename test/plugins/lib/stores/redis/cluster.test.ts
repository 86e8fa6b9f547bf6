import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { SignInRef } from '../../../../../plugins/lib/contract.js'
import { closeRedis, firstAttempt, openRedis } from '../../../../../plugins/lib/stores/redis/client.js'
import type { FollowedStore } from '../../../../../plugins/lib/stores/redis/followed-store.js'
import { revocationKeys } from '../../../../../plugins/lib/stores/redis/revocations.js'
import { RedisStore } from '../../../../../plugins/lib/stores/redis/store.js'
import { findWait, isWait, reserve } from '../../../../../plugins/lib/throttle/limit.js'
import { RedisSteps } from '../../../../../plugins/lib/throttle/redis-steps.js'
import stores from '../../../../../plugins/stores.js'
import { eventually, openFollowed, patientTwins } from '../../../../helpers/followed.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { type RedisCluster, startCluster } from '../../../../helpers/redis-cluster.js'
import type { RedisServer } from '../../../../helpers/redis-server.js'
import { START } from '../../../../helpers/suite.js'
import { ACCOUNT } from '../../../../steps-contract.js'
import { sessionRecord, storeContract } from '../../../../store-contract.js'

t.setTimeout(600_000)

const cluster: RedisCluster = await startCluster()
t.teardown(() => cluster.stop())

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' }
const UNTIL = 2 ** 52
const COMMAND_TIMEOUT = 500
/** Within which a cluster agrees on what became of its nodes, however busy the machine is. */
const PATIENCE = 30_000

let prefixes = 0

function newPrefix(): string {
  return `t${++prefixes}:`
}

const clusterInfo = async (admin: Redis) => String(await admin.call('CLUSTER', 'INFO'))

async function openStore(t: Test, prefix: string) {
  const client = openRedis(cluster.url)
  await firstAttempt(client, 3000)
  const store = new RedisStore(client, { prefix, onClose: () => closeRedis(client) })
  t.teardown(() => store.close())
  return store
}

storeContract(t, 'cluster', async (t) => {
  const prefix = newPrefix()
  return { store: await openStore(t, prefix), twin: await openStore(t, prefix) }
})

storeContract(t, 'followed, over a cluster', async (t) => {
  const prefix = newPrefix()
  const { store } = await openFollowed(t, cluster.url, { prefix })
  const { store: other } = await openFollowed(t, cluster.url, { prefix })
  await eventually(() => store.feed.healthy() && other.feed.healthy())
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

t.test('the limits of the throttle hold wherever the counters are', async (t) => {
  const client = openRedis(cluster.url, { commandTimeout: 5000 })
  t.teardown(() => client.disconnect())
  await firstAttempt(client, 3000)
  const steps = new RedisSteps(client, 5000)
  for (const subject of ['{one}', '{two}', '{three}', '{four}']) {
    const storm = Array.from({ length: 30 }, () => reserve(steps, { rule: ACCOUNT, subject: subject }, START))
    const taken = (await Promise.all(storm)).flatMap((outcome) => (isWait(outcome) ? [] : outcome))
    t.equal(taken.length, 10, subject)
    await Promise.all(taken.map((reservation) => reservation.fail(START)))
    t.strictSame(await reserve(steps, { rule: ACCOUNT, subject: subject }, START), { retryAfter: 60 })
    t.strictSame(await findWait(steps, { rule: ACCOUNT, subject: subject }, START), { retryAfter: 60 })
    const single = await reserve(steps, { rule: ACCOUNT, subject: subject }, START + 60_000)
    if (isWait(single)) return t.fail(subject)
    await single.reset()
    t.equal(await findWait(steps, { rule: ACCOUNT, subject: subject }, START + 60_000), null)
  }
})

t.test('the first operations at once do not find a node that is not connected yet', async (t) => {
  const store = await openStore(t, newPrefix())
  const created = await Promise.all(
    Array.from({ length: 60 }, (_, index) => store.createSession(`k${index}`, sessionRecord())),
  )
  t.notOk(created.includes(false))
})

t.test('a lost master is 503 for what it has; the others go on, and it is found again', async (t) => {
  const prefix = newPrefix()
  const { store } = await openFollowed(t, cluster.url, { prefix })
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

/** Asks a node something as nobody's store would. */
async function ask<T>(node: RedisServer, question: (admin: Redis) => Promise<T>): Promise<T> {
  const admin = new Redis({ port: node.port, protocol: 2, readOnly: true })
  try {
    return await question(admin)
  } finally {
    admin.disconnect()
  }
}

/** Resolves when its end was answered. Some of what an end takes may still be on a node that is not well. */
function isEnded(store: FollowedStore, signInId: string): Promise<void> {
  return eventually(async () => (await store.endSignIn('a', signInId, UNTIL)) === false, PATIENCE)
}

/** Two stores, a sign-in that is live at both, and what goes on between them while there are faults. */
async function openTwo(t: Test) {
  const prefix = newPrefix()
  const { store: one } = await openFollowed(t, cluster.url, { prefix, commandTimeout: COMMAND_TIMEOUT })
  const { store: other } = await openFollowed(t, cluster.url, { prefix, commandTimeout: COMMAND_TIMEOUT })
  const ref = { accountId: 'a', signInId: 'live', epoch: 1, generation: await one.generation() }
  const ended = { ...ref, signInId: 'ended' }
  await isEnded(one, 'ended')
  await eventually(async () => !(await other.isLive(ended)) && (await other.isLive(ref)))
  const both = [one, other]
  return {
    ...{ one, other, ref, ended, both },
    areHealthy: () => both.every(({ feed }) => feed.healthy()),
    areLost: () => !both.some(({ feed }) => feed.healthy()),
    keys: revocationKeys(prefix),
    stopWatching: watch(t, one, other, ref),
  }
}

/**
 * Ends one sign-in after the other here, and looks there at those whose end was answered a second ago.
 * @returns what judges it: none was live, and no operation took much longer than it may
 */
function watch(t: Test, here: FollowedStore, there: FollowedStore, ref: SignInRef) {
  const answered: { signInId: string; at: number }[] = []
  const revived: string[] = []
  let slowest = 0
  let stopped = false
  async function timed<T>(operation: () => Promise<T>): Promise<T | null> {
    const start = ownTime()
    const result = await operation().catch(() => null)
    slowest = Math.max(slowest, ownTime() - start)
    return result
  }
  async function end() {
    for (let i = 0; !stopped; i++) {
      const signInId = `watched-${i}`
      const result = await timed(() => here.endSignIn('a', signInId, UNTIL))
      if (result !== null) answered.push({ signInId, at: ownTime() })
      await delay(20)
    }
  }
  async function look() {
    while (!stopped) {
      const now = ownTime()
      const old = answered.filter(({ at }) => now - at > 1000)
      for (const { signInId } of [...old.slice(0, 1), ...old.slice(-3)]) {
        if (await timed(async () => there.isLive({ ...ref, signInId }))) revived.push(signInId)
      }
      await delay(10)
    }
  }
  const running = Promise.all([end(), look()])
  return async () => {
    stopped = true
    await running
    t.ok(answered.length > 0)
    t.same(revived, [])
    t.ok(slowest < 4 * COMMAND_TIMEOUT, `${slowest} ms`)
  }
}

t.test('the list’s master is killed: 503, never a yes, and it is found again', async (t) => {
  const { one, other, both, ref, ended, keys, areHealthy, areLost, stopWatching } = await openTwo(t)
  const list = await cluster.masterOf(keys[0])
  const rest = cluster.nodes.filter((node) => node !== list)
  const cover = (all: 'yes' | 'no') =>
    Promise.all(
      rest.map((node) => ask(node, (admin) => admin.config('SET', 'cluster-require-full-coverage', all))),
    )
  // As it is by default: while one master is lost, none of them serves anything.
  await cover('yes')
  t.teardown(() => cover('no'))
  await list.kill()
  await eventually(areLost)
  const isDown = async (node: RedisServer) => /_state:fail/.test(await ask(node, clusterInfo))
  await eventually(async () => (await Promise.all(rest.map(isDown))).every(Boolean), PATIENCE)
  for (const store of both) {
    await t.rejects(async () => store.isLive(ref), UNAVAILABLE)
    t.equal(await store.isLive(ended), false, 'known is known')
    await t.rejects(store.endSignIn('a', 's', UNTIL), UNAVAILABLE)
  }
  await list.start()
  await eventually(areHealthy, PATIENCE)
  t.equal(await one.isLive(ref), false, 'the list came back empty: what was issued before is refused')
  const next = { ...ref, generation: await one.generation() }
  await isEnded(one, 'next')
  await eventually(async () => !(await other.isLive({ ...next, signInId: 'next' })))
  t.equal(await other.isLive(next), true)
  await stopWatching()
})

t.test('the list’s master is frozen: 503, never a yes, and it is followed again', async (t) => {
  const { other, both, ref, ended, keys, areHealthy, areLost, stopWatching } = await openTwo(t)
  const list = await cluster.masterOf(keys[0])
  list.pause()
  t.teardown(() => list.resume())
  await eventually(areLost)
  for (const store of both) {
    await t.rejects(async () => store.isLive(ref), UNAVAILABLE)
    t.equal(await store.isLive(ended), false, 'known is known')
  }
  // The others have noticed.
  const rest = cluster.nodes.filter((node) => node !== list)
  const hasLost = async (node: RedisServer) => /slots_fail:[1-9]/.test(await ask(node, clusterInfo))
  await eventually(async () => (await Promise.all(rest.map(hasLost))).every(Boolean), PATIENCE)
  list.resume()
  await eventually(areHealthy, PATIENCE)
  t.equal(await other.isLive(ref), true, 'nothing was lost')
  await stopWatching()
})

t.test('a cluster is shared as app.redis.identity, and closed with the application', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(stores, { redisUrl: cluster.url })
  await app.ready()
  t.ok(app.redis.identity instanceof Cluster)
  await eventually(() => app.stateStore.feed?.healthy() === true)
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

t.test('an end is answered when a replica has it, whichever of the two is the master', async (t) => {
  const first = await cluster.masterOf('{rev}')
  const second = await cluster.addReplica(first)
  const { one, other, ref, keys, areHealthy, areLost, stopWatching } = await openTwo(t)
  const waits = (node: RedisServer) =>
    ask(node, async (admin) => {
      const stats = await admin.info('commandstats')
      return Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1] ?? 0)
    })
  // The first ones of that store, at once.
  await Promise.all([1, 2, 3, 4, 5].map((index) => other.endSignIn('a', `s${index}`, UNTIL)))
  const there = await ask(second, (admin) => admin.zmscore(keys[0], 's:s1', 's:s5'))
  t.notOk(there.includes(null))
  // Those that come while another one waits are waited for together.
  t.ok((await waits(first)) >= 1)
  for (const node of cluster.nodes) if (node !== first) t.equal(await waits(node), 0)

  const before = await waits(second)
  await ask(second, (admin) => admin.call('CLUSTER', 'FAILOVER'))
  await eventually(async () => (await waits(second)) > before, PATIENCE)
  await eventually(areHealthy, PATIENCE)
  t.ok(await other.isLive(ref))

  await eventually(
    async () => /state=online/.test(await ask(second, (admin) => admin.info('replication'))),
    PATIENCE,
  )
  await isEnded(one, 'last')
  await second.kill()
  await eventually(areLost)
  await eventually(areHealthy, PATIENCE)
  for (const signInId of ['ended', 's1', 'last']) t.notOk(await other.isLive({ ...ref, signInId }))
  t.ok(await other.isLive(ref), 'the list is the same')
  await stopWatching()
})
