import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { eventually, openNear } from '../../../helpers/near.js'
import { startRedis } from '../../../helpers/redis-server.js'

const UNTIL = 2 ** 50
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }

async function serve(t: Test) {
  const server = await startRedis({ tcp: true, args: ['--repl-diskless-sync-delay', '0'] })
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
  await eventually(async () => {
    await primary.admin.incr('step')
    await primary.admin.wait(1, 100)
    return /state=online,offset=[1-9]/.test(await primary.admin.info('replication'))
  })
}

async function pair(t: Test) {
  const primary = await serve(t)
  const replica = await serve(t)
  await follow(replica, primary)
  return { primary, replica }
}

const refOf = (generation: number, signInId: string) => ({ accountId: 'a', signInId, epoch: 1, generation })

t.test('a revocation is stored when a replica has it', async (t) => {
  const { primary, replica } = await pair(t)
  const { store } = await openNear(t, primary.server.url)
  for (let index = 0; index < 20; index++) {
    await store.endSignIn('a', `s${index}`, UNTIL)
    t.type(await replica.admin.zscore('fid:{rev}', `s:s${index}`), 'string', 'there when it was answered')
  }
  await store.raiseEpoch('a', 5, null, UNTIL)
  t.equal(await replica.admin.zscore('fid:{rev}', 'e:a'), '-5')
})

t.test('a replica that does not confirm: 503, nothing claimed, and everything else goes on', async (t) => {
  const { primary, replica } = await pair(t)
  const { store } = await openNear(t, primary.server.url, { commandTimeout: 400 })
  const generation = await store.generation()
  await store.endSignIn('a', 'before', UNTIL)
  replica.server.pause()
  t.teardown(() => replica.server.resume())
  const start = performance.now()
  const ending = [1, 2, 3].map((id) => t.rejects(store.endSignIn('a', `s${id}`, UNTIL), UNAVAILABLE))
  await store.ping()
  t.ok(performance.now() - start < 150, 'the waiting keeps nobody else')
  await Promise.all(ending)
  t.ok(performance.now() - start < 800)
  t.equal(store.isLive(refOf(generation, 's1')), false, 'refused all the same')
  t.ok(store.feed.healthy())
  replica.server.resume()
  await eventually(async () =>
    store.endSignIn('a', 's1', UNTIL).then(
      () => true,
      () => false,
    ),
  )
})

t.test('a replica that is gone is noticed, and one that comes as well', async (t) => {
  const { primary, replica } = await pair(t)
  const { store, client } = await openNear(t, primary.server.url)
  await store.endSignIn('a', 's1', UNTIL)
  await replica.server.kill()
  await eventually(async () =>
    store.endSignIn('a', 's2', UNTIL).then(
      () => true,
      () => false,
    ),
  )
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
  const { store } = await openNear(t, primary.server.url)
  await store.endSignIn('a', 's1', UNTIL)
  await primary.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await eventually(async () =>
    store.endSignIn('a', 's2', UNTIL).then(
      () => true,
      () => false,
    ),
  )
  await store.close()
  await t.rejects(store.endSignIn('a', 's3', UNTIL), UNAVAILABLE)
})

t.test('a user who may not ask for replicas revokes without them', async (t) => {
  const { server, admin } = await serve(t)
  await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info')
  const url = server.url.replace('redis://', 'redis://app:secret@')
  const { store } = await openNear(t, url)
  t.equal(await store.endSignIn('a', 's1', UNTIL), false)
  t.type(await admin.zscore('fid:{rev}', 's:s1'), 'string')
})

t.test('a primary that was demoted for good: revoked elsewhere, refused here within a second', async (t) => {
  const { primary: old, replica: next } = await pair(t)
  const there = await openNear(t, old.server.url, { commandTimeout: 400 })
  const generation = await there.store.generation()
  await there.store.endSignIn('a', 'before', UNTIL)
  t.equal(there.store.isLive(refOf(generation, 's1')), true)
  await next.admin.replicaof('NO', 'ONE')
  await old.admin.replicaof('127.0.0.1', next.server.port)
  const here = await openNear(t, next.server.url)
  await here.store.endSignIn('a', 's1', UNTIL).catch(() => here.store.endSignIn('a', 's1', UNTIL))
  const answered = performance.now()
  const isLive = async () => there.store.isLive(refOf(generation, 's1'))
  await eventually(async () => !(await isLive().catch(() => false)))
  t.ok(performance.now() - answered < 1000)
  await t.rejects(there.store.endSignIn('a', 's2', UNTIL), UNAVAILABLE)
  await eventually(() => !there.store.feed.healthy())
  await eventually(async () => (await isLive().catch(() => true)) === false)
  t.pass('asked at the old primary, which has it from the new one')
})
