import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Redis } from 'ioredis'
import { type Test, test } from 'tap'
import { eventually, openFollowed } from '../helpers/followed.js'
import { startLive } from '../helpers/live.js'
import { startRedis } from '../helpers/redis-server.js'
import { ALICE, BOB, TestClock } from '../helpers/suite.js'

const SIGNED_OUT = [4401, 'signed_out']
const UNSURE = [1013, 'store_unavailable']
const UNTIL = 2 ** 52

/** An application over a real Redis, and the store of another instance. */
async function start(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const clock = new TestClock(Date.now())
  const own = await openFollowed(t, redis.url)
  const other = await openFollowed(t, redis.url)
  const ids: string[] = []
  const live = await startLive(t, {
    store: own.store,
    clock,
    bind: (app: FastifyInstance, request: FastifyRequest, socket) => {
      ids.push(request.identity.signInId)
      app.live.bindSocket(request, socket)
    },
  })
  return { ...live, redis, own, other, ids }
}

test('an end by another instance closes its sockets; the others stay open', async (t) => {
  const { enter, open, other, ids, app } = await start(t)
  const peers = await Promise.all(Array.from({ length: 51 }, async () => open(await enter('token'))))
  const [id = ''] = ids
  await other.store.endSignIn(ALICE.id, id, UNTIL)
  const closed = await Promise.race(peers.map(({ closed }) => closed))
  t.strictSame(closed, SIGNED_OUT)
  await eventually(() => app.live.open === 50, 10_000)
  await other.store.raiseEpoch(ALICE.id, 1, null, UNTIL)
  for (const { closed } of peers) t.strictSame(await closed, SIGNED_OUT)
})

test('without the feed, Redis is asked about all: who has ended goes, who lives stays', async (t) => {
  const { enter, open, own, other, redis, ids } = await start(t)
  const ended = await open(await enter())
  const stays = await open(await enter('cookie', { account: BOB }))
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  await admin.acl('SETUSER', 'default', '-xread')
  await eventually(() => !own.store.feed.healthy(), 20_000)
  t.equal(await ended.echo('here'), 'here', 'messages pass while Redis vouches')
  await other.store.endSignIn(ALICE.id, ids[0] ?? '', UNTIL)
  t.strictSame(await ended.closed, SIGNED_OUT)
  t.equal(await stays.echo('here'), 'here')
  await admin.acl('SETUSER', 'default', '+xread')
  await eventually(() => own.store.feed.healthy(), 20_000)
  t.equal(await stays.echo('there'), 'there')
})

test('without Redis nobody can vouch: 1013, and no message is delivered meanwhile', async (t) => {
  const { enter, open, redis, own, received } = await start(t)
  const peers = await Promise.all(Array.from({ length: 20 }, async () => open(await enter())))
  redis.pause()
  await eventually(() => !own.store.feed.healthy(), 20_000)
  for (const { socket } of peers) socket.send('in doubt')
  for (const { closed } of peers) t.strictSame(await closed, UNSURE)
  t.strictSame(received, [])
  redis.resume()
})

test('a lost list signs everybody out', async (t) => {
  const { enter, open, redis } = await start(t)
  const peer = await open(await enter())
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  await admin.flushall()
  t.strictSame(await peer.closed, SIGNED_OUT)
})
