import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { FollowedStore } from '../../../../../plugins/lib/stores/redis/followed-store.js'
import { caughtUp, eventually, openFollowed } from '../../../../helpers/followed.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { startRedis } from '../../../../helpers/redis-server.js'
import { startProxy } from '../../../../helpers/tcp-proxy.js'

const UNTIL = 2 ** 50
/** What a revocation is kept beyond its time. */
const HOUR = 3_600_000
const FEED = 'fid:{rev}:feed'

async function serve(t: Test) {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const proxy = await startProxy(server.port)
  t.teardown(() => proxy.close())
  const admin = new Redis(server.url)
  admin.on('error', () => {})
  t.teardown(() => admin.disconnect())
  return { server, proxy, admin }
}

const refOf = (generation: number, signInId: string) => ({ accountId: 'a', signInId, epoch: 1, generation })

/** Cuts the feed of `there` while `work` runs, and says how it was made up for. */
async function missing(
  proxy: Awaited<ReturnType<typeof startProxy>>,
  there: Awaited<ReturnType<typeof openFollowed>>,
  work: () => Promise<unknown>,
): Promise<string | undefined> {
  there.changes.length = 0
  proxy.cut('all', true)
  await eventually(() => !there.store.feed.healthy())
  await work()
  proxy.heal()
  await eventually(() => there.store.feed.healthy())
  return there.changes.find(({ kind }) => kind === 'feed_restored')?.reason
}

t.test(
  'what was missed in a gap is replayed where the stream has it, and else the list is read',
  async (t) => {
    const { server, proxy, admin } = await serve(t)
    const here = await openFollowed(t, server.url)
    const there = await openFollowed(t, proxy.url)
    const generation = await here.store.generation()
    const live = (id: string) => there.store.isLive(refOf(generation, id))
    t.equal(live('one'), true)
    const replayed = await missing(proxy, there, () => here.store.endSignIn('a', 'one', UNTIL))
    t.match(replayed, /What was missed has been read/)
    t.equal(live('one'), false)
    const loaded = await missing(proxy, there, async () => {
      await here.store.endSignIn('a', 'two', UNTIL)
      await admin.del(FEED)
    })
    t.match(loaded, /The list has been read anew/)
    t.strictSame([live('one'), live('two'), live('three')], [false, false, true])
    const trimmed = await missing(proxy, there, async () => {
      await here.store.raiseEpoch('a', 2, 'three', UNTIL)
      await admin.xtrim(FEED, 'MAXLEN', 1)
    })
    t.match(trimmed, /The list has been read anew/)
    t.strictSame([live('three'), live('four')], [true, false])
  },
)

t.test('an entry that is missing under a feed that goes on is noticed by the count', async (t) => {
  const { server, admin } = await serve(t)
  const { store, changes } = await openFollowed(t, server.url)
  const generation = await store.generation()
  // As a primary would that had lost its last writes: in the list, and never in the stream.
  await admin.zadd('fid:{rev}', UNTIL, 's:lost')
  await admin.zincrby('fid:{rev}', -1, 'n')
  await eventually(() => store.isLive(refOf(generation, 'lost')) === false)
  t.match(
    changes.find(({ kind }) => kind === 'feed_lost'),
    { kind: 'feed_lost', reason: 'Revocations were missed.' },
  )
  await eventually(() => store.feed.healthy())
  t.equal(store.isLive(refOf(generation, 'other')), true)
})

t.test('what a lagging replica forgot when it took over stays refused where it was known', async (t) => {
  const { proxy, admin } = await serve(t)
  const there = await openFollowed(t, proxy.url)
  const generation = await there.store.generation()
  await there.store.endSignIn('a', 'one', UNTIL)
  await missing(proxy, there, async () => {
    await admin.zrem('fid:{rev}', 's:one')
    await admin.del(FEED)
  })
  t.equal(there.store.isLive(refOf(generation, 'one')), false)
})

t.test('a list of many is read whole, also when it changes meanwhile', async (t) => {
  const { server, admin } = await serve(t)
  const here = await openFollowed(t, server.url)
  const generation = await here.store.generation()
  const ids = Array.from({ length: 20_000 }, (_, index) => `s${index}`)
  const scores = ids.slice(0, 19_500).flatMap((id) => [UNTIL, `s:${id}`])
  await admin.zadd('fid:{rev}', ...scores)
  const more = ids.slice(19_500).map((id) => () => here.store.endSignIn('a', id, UNTIL))
  const [there] = await Promise.all([openFollowed(t, server.url), ...more.map((revoke) => revoke())])
  await caughtUp(here.store, there.store)
  t.equal(ids.filter((id) => there.store.isLive(refOf(generation, id)) !== false).length, 0)
  t.equal(there.store.isLive(refOf(generation, 'other')), true)
})

t.test('more revocations than are kept: each question goes to Redis, until there are fewer', async (t) => {
  const { server } = await serve(t)
  const here = await openFollowed(t, server.url)
  const { store, changes } = await openFollowed(t, server.url, { maxRevocations: 10 })
  const generation = await here.store.generation()
  for (let index = 0; index < 12; index++) await here.store.endSignIn('a', `s${index}`, 1000)
  await here.store.raiseEpoch('b', 3, 'spared', UNTIL)
  await eventually(() => !store.feed.healthy())
  await eventually(() => changes.length > 1)
  t.match(changes.at(-1), { kind: 'feed_lost', reason: /more revocations/ })
  for (const id of ['s0', 's10', 's11']) t.equal(await store.isLive(refOf(generation, id)), false, id)
  t.ok(store.isLive(refOf(generation, 'other')) instanceof Promise)
  t.equal(await store.isLive(refOf(generation, 'other')), true)
  const b = { accountId: 'b', signInId: 'x', epoch: 2, generation }
  t.strictSame([await store.isLive(b), await store.isLive({ ...b, signInId: 'spared' })], [false, true])
  // As the server does once a minute: a process that was stalled reads the list anew after the next one.
  const sweep = async () => {
    await store.sweep(1000 + HOUR)
    await eventually(() => store.feed.healthy(), 5000)
  }
  await sweep().catch(sweep).catch(sweep)
  t.strictSame([store.isLive(b), store.isLive({ ...b, signInId: 'spared' })], [false, true])
  t.equal(changes.filter(({ reason }) => /more revocations/.test(reason)).length, 1, 'said once')
})

t.test('a process that stood still trusts nothing when it goes on', async (t) => {
  const { server } = await serve(t)
  const { store } = await openFollowed(t, server.url)
  const generation = await store.generation()
  t.equal(store.isLive(refOf(generation, 'x')), true)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 800)
  t.notOk(store.feed.healthy())
  t.ok(store.isLive(refOf(generation, 'x')) instanceof Promise)
  await eventually(() => store.feed.healthy())
})

t.test(
  'a list that was lost: all sign in again, and those who did are known at once everywhere',
  async (t) => {
    const { server, admin } = await serve(t)
    const here = await openFollowed(t, server.url)
    const there = await openFollowed(t, server.url)
    const before = await here.store.generation()
    await admin.flushall()
    const after = await here.store.generation()
    t.equal(await there.store.isLive(refOf(after, 'new')), true, 'before its feed has told')
    await eventually(() => there.store.isLive(refOf(after, 'new')) === true)
    t.equal(await there.store.isLive(refOf(before, 'old')), false)
    t.equal(there.store.isLive(refOf(before, 'old')), false, 'and asks only once')
    for (let other = 1; other <= 1001; other++) t.equal(await there.store.isLive(refOf(other, 'old')), false)
  },
)

t.test('closing hangs on no server, and ends every connection', async (t) => {
  const { server, proxy, admin } = await serve(t)
  const clients = async () =>
    String(await admin.client('LIST'))
      .trim()
      .split('\n').length
  const before = await clients()
  const followed = await openFollowed(t, server.url)
  t.equal(await clients(), before + 2, 'one for commands, one for the feed')
  await followed.store.close()
  await eventually(async () => (await clients()) === before)
  t.notOk(followed.store.feed.healthy())
  for (const fault of [() => proxy.freeze(), () => proxy.cut('all', true)]) {
    const { store } = await openFollowed(t, proxy.url)
    fault()
    const start = ownTime()
    await store.close()
    t.ok(ownTime() - start < 1000)
    proxy.heal()
  }
})

t.test('in a cluster the feed follows the node that has the list', async (t) => {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
  const server = await startRedis({ tcp: true, args })
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
  await eventually(async () => /cluster_state:ok/.test(String(await admin.call('CLUSTER', 'INFO'))))
  const open = async () => {
    const client = new Cluster([{ host: '127.0.0.1', port: server.port }])
    t.teardown(() => client.disconnect())
    const store = new FollowedStore(client)
    t.teardown(() => store.close())
    await store.feed.settle(3000)
    return store
  }
  const [here, there] = [await open(), await open()]
  const generation = await here.generation()
  t.equal(there.isLive(refOf(generation, 'x')), true)
  await here.endSignIn('a', 'x', UNTIL)
  t.equal(here.isLive(refOf(generation, 'x')), false)
  await caughtUp(here, there)
  t.equal(there.isLive(refOf(generation, 'x')), false)
})

/** The heartbeats in the feed, oldest first. */
async function beatsIn(admin: Redis): Promise<string[][]> {
  const entries = await admin.xrange(FEED, '-', '+')
  return entries.map(([, fields]) => fields).filter(([kind]) => kind === 'h')
}

t.test('however many instances, they share some three heartbeats a second', async (t) => {
  const { server, admin } = await serve(t)
  const all = await Promise.all(Array.from({ length: 12 }, () => openFollowed(t, server.url)))
  const senders = async () => new Set((await beatsIn(admin)).map(([, name = '']) => name.split(':')[0]))
  await eventually(async () => (await beatsIn(admin)).length > 20 && (await senders()).size > 3, 60_000)
  const times = (await beatsIn(admin)).map((fields) => Number(fields[7]))
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  t.ok(Math.min(...gaps) >= 300, `${Math.min(...gaps)} ms between two of them`)
  await eventually(() => all.every(({ store }) => store.feed.healthy()))
  const before = (await beatsIn(admin)).length
  await all[0]?.store.endSignIn('a', 's', UNTIL)
  await eventually(async () => (await beatsIn(admin)).length > before)
  t.pass('what is revoked is followed by one')
})

t.test(
  'a demoted primary vouches for nothing, though the heartbeats of others are replicated to it',
  async (t) => {
    const { server: old, admin } = await serve(t)
    const { server: next, admin: successor } = await serve(t)
    const followed = async (link: Redis) => /master_link_status:up/.test(await link.info('replication'))
    await successor.replicaof('127.0.0.1', String(old.port))
    await eventually(() => followed(successor))
    const there = await openFollowed(t, old.url)
    await eventually(() => there.store.feed.healthy())
    await successor.replicaof('NO', 'ONE')
    await admin.replicaof('127.0.0.1', String(next.port))
    const here = await openFollowed(t, next.url)
    await eventually(async () => (await followed(admin)) && !there.store.feed.healthy())
    const replicated = async () => Number(await admin.xlen(FEED))
    const upTo = (await replicated()) + 10
    let trusted = 0
    await eventually(async () => {
      if (there.store.feed.healthy()) trusted++
      return (await replicated()) > upTo
    })
    t.equal(trusted, 0, 'while ten heartbeats came')
    await eventually(() => here.store.feed.healthy())
  },
)

t.test('beside instances of 0.1, which do not share theirs', async (t) => {
  const { server, admin } = await serve(t)
  const { store, changes } = await openFollowed(t, server.url)
  const generation = await store.generation()
  await store.endSignIn('a', 'one', UNTIL)
  const old = (name: string) =>
    admin.xadd(FEED, '*', 'h', name, 'g', String(-generation), 'n', '-1') as Promise<string>
  for (let index = 0; index < 20; index++) {
    await old(`old:${index}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.strictSame(
    changes.filter(({ kind }) => kind === 'feed_lost'),
    [],
  )
  await eventually(() => store.feed.healthy())
  // What an instance of 0.1 reads of an entry, in this order.
  await eventually(async () => {
    const [kind, name, g, marker, n, count] = (await beatsIn(admin)).at(-1) ?? []
    const isOurs = !name?.startsWith('old:')
    return isOurs && [kind, g, marker, n, count].join() === `h,g,${-generation},n,-1`
  })
})

t.test('a clock of Redis that is set back delays no heartbeat', async (t) => {
  const { server, admin } = await serve(t)
  const { store } = await openFollowed(t, server.url)
  const generation = await store.generation()
  const later = String(Date.now() + 3_600_000)
  await admin.xadd(FEED, '*', 'h', 'ahead:1', 'g', String(-generation), 'n', '0', 't', later, 'o', '')
  await eventually(async () => {
    const names = (await beatsIn(admin)).map(([, name]) => name)
    return names.indexOf('ahead:1') < names.length - 2
  })
  await eventually(() => store.feed.healthy())
})

t.test('maxRevocations is checked', async (t) => {
  const client = new Redis({ lazyConnect: true })
  for (const maxRevocations of [0, 1.5, Number.NaN]) {
    t.throws(() => new FollowedStore(client, { maxRevocations }), { code: 'OPTION_INVALID' })
  }
})

t.test('it tells how late its own heartbeats come back, and how many revocations it holds', async (t) => {
  const { server, proxy } = await serve(t)
  const { store } = await openFollowed(t, proxy.url)
  const { store: other } = await openFollowed(t, server.url)
  const lags: number[] = []
  const stop = store.feed.onBeat?.((lag) => lags.push(lag))
  await eventually(() => lags.length >= 3, 60_000)
  for (const lag of lags) t.ok(lag > 0 && lag < 750, `${lag} ms`)
  t.equal(store.feed.held, 0)
  await other.endSignIn('a', 'one', UNTIL)
  await eventually(() => store.feed.held === 1)
  stop?.()
  const heard = lags.length
  let later = 0
  store.feed.onBeat?.(() => later++)
  await eventually(() => later >= 2, 60_000)
  t.equal(lags.length, heard, 'whoever has left is told no more')
})
