import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { StateStore } from '../../../../../plugins/lib/stores/contract.js'
import { AttachedReplicas, readAttached } from '../../../../../plugins/lib/stores/redis/attached.js'
import { eventually, openFollowed } from '../../../../helpers/followed.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { startRedis } from '../../../../helpers/redis-server.js'
import { sessionRecord, signInRecord } from '../../../../store-contract.js'

const UNTIL = 2 ** 50
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }

const ARGS = ['--repl-diskless-sync-delay', '0', '--enable-debug-command', 'yes']

async function serve(t: Test) {
  const server = await startRedis({ tcp: true, args: ARGS })
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  admin.on('error', () => {})
  t.teardown(() => admin.disconnect())
  return { server, admin }
}

type Served = Awaited<ReturnType<typeof serve>>

/** Resolves when the replica is in step. */
async function follow(replica: Served, primary: Served): Promise<void> {
  await replica.admin.replicaof('127.0.0.1', primary.server.port)
  const isInStep = new RegExp(`port=${replica.server.port},state=online,offset=[1-9]`)
  await eventually(async () => {
    await primary.admin.incr('step')
    await primary.admin.wait(1, 100)
    return isInStep.test(await primary.admin.info('replication'))
  })
}

async function pair(t: Test) {
  const primary = await serve(t)
  const replica = await serve(t)
  await follow(replica, primary)
  return { primary, replica }
}

const refOf = (generation: number, signInId: string) => ({ accountId: 'a', signInId, epoch: 1, generation })

t.test('replicas that keep up are counted', async (t) => {
  const replica = (state: string, offset: number, lag: number) =>
    `ip=::1,port=1,state=${state},offset=${offset},lag=${lag}`
  const lines = [
    replica('online', 9, 0),
    replica('online', 9, 3),
    replica('send_bulk', 9, 0),
    replica('online', 0, 0),
  ]
  const info = ['role:master', ...lines.map((line, index) => `slave${index}:${line}`), 'master_replid:a1', '']
  t.strictSame(readAttached(info.join('\r\n')), { primary: 'a1', replicas: 1 })
  t.strictSame(readAttached(''), { primary: '', replicas: 0 })
})

t.test('a replica that has left is missed for a while, at each primary by itself', async (t) => {
  let now = 0
  const attached = new AttachedReplicas(100, () => now)
  const owed = (primary: string, replicas: number) => attached.note({ primary, replicas }).replicas
  t.strictSame([owed('one', 1), owed('one', 2), owed('one', 0)], [1, 2, 2])
  now = 50
  t.strictSame([owed('one', 2), owed('other', 1)], [2, 1])
  now = 149
  t.strictSame([owed('one', 1), owed('other', 0)], [2, 1])
  now = 150
  t.strictSame([owed('one', 1), owed('other', 0), owed('one', 0)], [1, 0, 1])
})

/** Whether a revocation is answered as stored. */
function isStored(store: StateStore, signInId: string): Promise<boolean> {
  return store.endSignIn('a', signInId, UNTIL).then(
    () => true,
    () => false,
  )
}

t.test('a revocation is stored when the replicas have it', async (t) => {
  const { primary, replica } = await pair(t)
  const second = await serve(t)
  await follow(second, primary)
  const { store } = await openFollowed(t, primary.server.url, { commandTimeout: 10_000 })
  for (let index = 0; index < 20; index++) {
    await store.endSignIn('a', `s${index}`, UNTIL)
    for (const { admin } of [replica, second]) {
      t.type(await admin.zscore('fid:{rev}', `s:s${index}`), 'string', 'there when it was answered')
    }
  }
  await store.raiseEpoch('a', 5, null, UNTIL)
  t.equal(await replica.admin.zscore('fid:{rev}', 'e:a'), '-5')
})

t.test('one of two replicas is promoted: what it does not know is not answered as stored', async (t) => {
  const { primary, replica } = await pair(t)
  const promoted = await serve(t)
  await follow(promoted, primary)
  const { store } = await openFollowed(t, primary.server.url)
  await eventually(() => isStored(store, 'before'))
  await promoted.admin.replicaof('NO', 'ONE')
  await t.rejects(store.endSignIn('a', 's1', UNTIL), UNAVAILABLE)
  t.type(await replica.admin.zscore('fid:{rev}', 's:s1'), 'string', 'the other one has it')
  await t.rejects(store.endSignIn('a', 's1', UNTIL), UNAVAILABLE, 'nor a moment later')
})

t.test('what a failover forgot is written again by those who had revoked it', async (t) => {
  const { server, admin } = await serve(t)
  const { store, changes } = await openFollowed(t, server.url)
  const generation = await store.generation()
  for (let index = 0; index < 600; index++) await store.endSignIn('a', `s${index}`, UNTIL)
  await store.raiseEpoch('b', 5, 'spared', UNTIL)
  await store.raiseEpoch('c', 5, null, UNTIL)
  const known = await admin.zrange('fid:{rev}', '0', '-1', 'WITHSCORES')
  await admin.zremrangebyscore('fid:{rev}', '(0', '+inf')
  await admin.zrem('fid:{rev}', 'e:b', 'p:1:b:spared')
  await admin.zadd('fid:{rev}', String(UNTIL - 1), 's:s1', '-4', 'e:c')
  changes.length = 0
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  const withoutCount = (members: string[]) =>
    members.filter((_, index) => members[index - (index % 2)] !== 'n')
  await eventually(async () => {
    const now = await admin.zrange('fid:{rev}', '0', '-1', 'WITHSCORES')
    return withoutCount(now).sort().join() === withoutCount(known).sort().join()
  })
  t.equal(changes[0]?.kind, 'feed_lost')
  t.equal(await store.generation(), generation)
  const { store: later } = await openFollowed(t, server.url)
  t.equal(await later.isLive(refOf(generation, 's599')), false)
})

t.test('a primary other than the one that was looked at: 503, and the next one is looked at', async (t) => {
  const { primary } = await pair(t)
  const { store } = await openFollowed(t, primary.server.url)
  await primary.admin.call('DEBUG', 'CHANGE-REPL-ID')
  await t.rejects(store.endSignIn('a', 's2', UNTIL), UNAVAILABLE)
  await eventually(() => isStored(store, 's2'))
})

t.test('a replica that does not confirm: 503, nothing claimed, and everything else goes on', async (t) => {
  const { primary, replica } = await pair(t)
  const { store } = await openFollowed(t, primary.server.url, { commandTimeout: 400 })
  const generation = await store.generation()
  await store.endSignIn('a', 'before', UNTIL)
  const listed = signInRecord({ accountId: 'a', id: 's1', sessionKey: 'k' })
  await store.addSignIn(listed)
  await store.createSession('k', sessionRecord())
  const left = async () => [
    await store.findSignIn('a', 's1', listed.createdAt),
    await store.readSession('k', listed.createdAt),
  ]
  replica.server.pause()
  t.teardown(() => replica.server.resume())
  const start = ownTime()
  const ending = [1, 2, 3].map((id) => t.rejects(store.endSignIn('a', `s${id}`, UNTIL), UNAVAILABLE))
  await store.ping()
  t.ok(ownTime() - start < 150, 'the waiting keeps nobody else')
  await Promise.all(ending)
  t.ok(ownTime() - start < 800)
  t.equal(store.isLive(refOf(generation, 's1')), false, 'refused all the same')
  await t.rejects(store.endSignIns('a', null, listed.createdAt), UNAVAILABLE)
  t.strictSame(await left(), [listed, sessionRecord()], 'there to be ended again')
  await eventually(() => store.feed.healthy())
  replica.server.resume()
  await eventually(() => isStored(store, 's1'))
  t.strictSame(await left(), [null, null])
})

t.test('a replica that is gone is noticed, and one that comes as well', async (t) => {
  const { primary, replica } = await pair(t)
  const { store, client } = await openFollowed(t, primary.server.url, { replicasMissedFor: 500 })
  await store.endSignIn('a', 's1', UNTIL)
  await replica.server.kill()
  await eventually(() => isStored(store, 's2'))
  const again = await serve(t)
  await follow(again, primary)
  const waits = async () => /cmdstat_wait:calls=(\d+)/.exec(await primary.admin.info('commandstats'))?.[1]
  const before = await waits()
  // Looked at every few seconds, and whenever it is connected.
  client.disconnect(true)
  await eventually(async () => {
    await store.endSignIn('a', 's3', UNTIL).catch(() => {})
    return (await waits()) !== before
  })
})

t.test('the connection for revocations is lost and made again', async (t) => {
  const { primary } = await pair(t)
  const { store } = await openFollowed(t, primary.server.url)
  await store.endSignIn('a', 's1', UNTIL)
  await primary.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await eventually(() => isStored(store, 's2'))
  await store.close()
  await t.rejects(store.endSignIn('a', 's3', UNTIL), UNAVAILABLE)
})

t.test('a user who may not ask for replicas revokes without them', async (t) => {
  const { server, admin } = await serve(t)
  await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info')
  // The driver says on the console that it may not ask.
  const warned = t.capture(console, 'warn', () => {})
  const url = server.url.replace('redis://', 'redis://app:secret@')
  const { store } = await openFollowed(t, url)
  t.equal(await store.endSignIn('a', 's1', UNTIL), false)
  t.type(await admin.zscore('fid:{rev}', 's:s1'), 'string')
  for (const { args } of warned()) t.match(args, [/^Skipping the ready check because INFO/])
})

t.test('a primary that was demoted for good: revoked elsewhere, refused here within a second', async (t) => {
  const { primary: old, replica: next } = await pair(t)
  const there = await openFollowed(t, old.server.url, { commandTimeout: 400 })
  const generation = await there.store.generation()
  await there.store.endSignIn('a', 'before', UNTIL)
  t.equal(there.store.isLive(refOf(generation, 's1')), true)
  await next.admin.replicaof('NO', 'ONE')
  await old.admin.replicaof('127.0.0.1', next.server.port)
  const here = await openFollowed(t, next.server.url)
  await here.store.endSignIn('a', 's1', UNTIL).catch(() => here.store.endSignIn('a', 's1', UNTIL))
  const answered = ownTime()
  const isLive = async () => there.store.isLive(refOf(generation, 's1'))
  await eventually(async () => !(await isLive().catch(() => false)))
  t.ok(ownTime() - answered < 1000)
  await t.rejects(there.store.endSignIn('a', 's2', UNTIL), UNAVAILABLE)
  await eventually(() => !there.store.feed.healthy())
  await eventually(async () => (await isLive().catch(() => true)) === false)
  t.pass('asked at the old primary, which has it from the new one')
})
