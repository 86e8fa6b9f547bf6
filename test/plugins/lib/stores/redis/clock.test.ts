import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisClock } from '../../../../../plugins/lib/stores/redis/clock.js'
import type { FollowedStoreOptions } from '../../../../../plugins/lib/stores/redis/followed-store.js'
import stores from '../../../../../plugins/stores.js'
import { answerAtOnce, caughtUp, eventually, openFollowed } from '../../../../helpers/followed.js'
import { startRedis } from '../../../../helpers/redis-server.js'
import { startUserCenter, testClock } from '../../../../helpers/user-center.js'
import { signInRecord } from '../../../../store-contract.js'

/* One instance's clock is wrong, or that of Redis: nothing that was ended comes back. */

const HOUR = 3_600_000
const DAY = 24 * HOUR
const LIST = 'fid:{rev}'
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }
const by = (ms: number) => () => Date.now() + ms
const refOf = (generation: number, signInId: string, accountId = 'a') => ({
  accountId,
  signInId,
  epoch: 1,
  generation,
})

async function serve(t: Test) {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const open = (options: FollowedStoreOptions = {}) => openFollowed(t, server.url, options)
  return { server, admin, open }
}

t.test('32 days ahead: it drops nothing of what others need, and the next to start refuses it', async (t) => {
  const { open, admin } = await serve(t)
  const { store } = await open()
  const generation = await store.generation()
  await store.endSignIn('a', 's', Date.now() + 30 * DAY)
  await store.raiseEpoch('b', 5, null, Date.now() + 30 * DAY)
  const { store: ahead } = await open({ clock: by(32 * DAY) })
  await ahead.sweep(Date.now() + 32 * DAY)
  // And one whose clock is right, or that does not know yet, but is told a wrong time.
  await store.sweep(Date.now() + 32 * DAY)
  t.type(await admin.zscore(LIST, 's:s'), 'string')
  const { store: later } = await open()
  for (const each of [store, ahead, later]) {
    t.equal(await each.isLive(refOf(generation, 's')), false)
    t.equal(await each.isLive(refOf(generation, 'x', 'b')), false)
  }
})

t.test(
  'the margin: an hour after its time by the earlier of both clocks, in Redis and in memory',
  async (t) => {
    const times = { own: Date.UTC(2031, 0, 1), redis: Date.UTC(2031, 0, 1) }
    const start = times.own
    const { open, admin } = await serve(t)
    const { store } = await open({ clock: () => times.own, referenceClock: () => times.redis })
    const generation = await store.generation()
    const state = async () => [
      await store.isLive(refOf(generation, 's')),
      (await admin.zscore(LIST, 's:s')) !== null,
    ]
    await store.endSignIn('a', 's', start)
    times.own += HOUR
    times.redis += HOUR - 1
    await store.sweep(times.own)
    t.strictSame(await state(), [false, true], 'by the clock of Redis')
    times.redis += HOUR
    await store.sweep(times.own - 1)
    t.strictSame(await state(), [false, true], 'by the clock of the instance')
    await store.sweep(times.own)
    t.strictSame(await state(), [true, false])
  },
)

t.test(
  'an instance that is off issues nothing and is not ready, and goes on when it is right again',
  async (t) => {
    const { open, admin } = await serve(t)
    for (const offset of [-2 * HOUR, 2 * HOUR]) {
      const own = { offset: 0 }
      const { store } = await open({ clock: () => Date.now() + own.offset })
      const record = signInRecord({ createdAt: Date.now(), absoluteExpiresAt: Date.now() + DAY })
      const rotation = { presented: 0, keyId: 'k', now: Date.now(), grace: 0 }
      const issuing: (() => Promise<unknown>)[] = [
        () => store.addSignIn(record),
        () => store.rotateRefresh('a', 's', rotation),
        () => store.ping(),
      ]
      for (const issue of issuing) await issue()
      own.offset = offset
      await eventually(() => store.clock.isOff)
      for (const issue of issuing) {
        const error = await issue().then(
          () => null,
          (error: unknown) => error,
        )
        t.match(error, UNAVAILABLE)
        t.match(error, { cause: { message: /clock/ } })
      }
      await t.resolves(store.endSignIn('a', record.id, Date.now() + DAY), 'ending goes on')
      await store.endSignIn('a', 'passed', Date.now() - DAY)
      await store.sweep(Date.now())
      t.type(await admin.zscore(LIST, 's:passed'), 'string', 'nothing is dropped')
      own.offset = 0
      await eventually(() => !store.clock.isOff)
      await store.sweep(Date.now())
      t.equal(await admin.zscore(LIST, 's:passed'), null)
      for (const issue of issuing) await issue()
    }
  },
)

t.test('one that is behind does not answer from a list that others have swept', async (t) => {
  const { open } = await serve(t)
  const { store } = await open()
  const generation = await store.generation()
  const { store: behind } = await open({ clock: by(-32 * DAY) })
  await eventually(() => behind.clock.isOff)
  t.throws(() => behind.isLive(refOf(generation, 'x')), UNAVAILABLE)
  t.equal(behind.revision(), -1, 'nor from what was judged before')
  await store.endSignIn('a', 'x', Date.now() + DAY)
  await eventually(() => answerAtOnce(behind, refOf(generation, 'x')) === false)
  t.pass('what it knows is refused all the same')
})

t.test('what one ends that is behind is kept for as long as what others end', async (t) => {
  const { open, admin } = await serve(t)
  const { store } = await open()
  const { store: behind } = await open({ clock: by(-32 * DAY) })
  await eventually(() => behind.clock.isOff)
  await behind.raiseEpoch('a', 5, null, Date.now() - 32 * DAY + 30 * DAY)
  await behind.endSignIn('a', 's', Date.now() - 32 * DAY + 30 * DAY)
  await store.sweep(Date.now())
  for (const member of ['t:e:a', 's:s']) {
    const kept = Number(await admin.zscore(LIST, member)) - Date.now()
    t.ok(Math.abs(kept - 30 * DAY) < HOUR, member)
  }
})

t.test('one that is ahead ends what is live elsewhere', async (t) => {
  const { open } = await serve(t)
  const { store } = await open()
  const now = Date.now()
  const { store: ahead } = await open({ clock: by(32 * DAY) })
  await eventually(() => ahead.clock.isOff)
  await store.addSignIn(
    signInRecord({ createdAt: now, idleExpiresAt: now + DAY, absoluteExpiresAt: now + DAY }),
  )
  t.strictSame(await ahead.endSignIns('account-1', null, now + 32 * DAY), ['sign-in-1'])
})

t.test('whose clock it is: this one’s where others agree, that of Redis where none does', async (t) => {
  const { open } = await serve(t)
  const redis = { offset: 0 }
  const referenceClock = () => Date.now() + redis.offset
  const alone = await open({ clock: by(2 * HOUR), prefix: 'alone:' })
  await eventually(() => alone.store.clock.verdict === 'unclear')
  const [one, two] = [await open({ referenceClock }), await open({ referenceClock })]
  const { store: wrong } = await open({ referenceClock, clock: by(2 * HOUR) })
  await eventually(() => wrong.clock.verdict === 'own', 60_000)
  t.notOk(one.store.clock.isOff || two.store.clock.isOff)
  await wrong.close()
  redis.offset = 2 * HOUR
  await eventually(() => [one, two].every(({ store }) => store.clock.verdict === 'redis'), 60_000)
  const generation = await one.store.generation()
  await caughtUp(one.store, two.store)
  t.equal(two.store.isLive(refOf(generation, 'x')), true, 'nothing is collected, so nothing is missing')
  redis.offset = 0
  await eventually(() => [one, two].every(({ store }) => !store.clock.isOff))
})

t.test('a verdict is told when it changes, and not before', async (t) => {
  const now = { own: Date.UTC(2031, 0, 1) }
  const clock = new RedisClock({ clock: () => now.own })
  const told: unknown[] = []
  const stop = clock.onChange((change) => told.push(change))
  const compare = (offset: number) => clock.compare(now.own, now.own + offset)
  compare(HOUR)
  compare(-HOUR)
  clock.compare(now.own, null)
  t.strictSame(told, [], 'within the margin')
  compare(HOUR + 1)
  compare(HOUR + 2)
  t.strictSame(told.splice(0), [{ verdict: 'unclear', offset: HOUR + 1 }])
  clock.hear('one:1', HOUR + 5)
  clock.hear('one:2', HOUR + 6)
  t.strictSame(told.splice(0), [{ verdict: 'redis', offset: HOUR + 2 }])
  clock.hear('two:1', 5)
  t.strictSame(told.splice(0), [{ verdict: 'own', offset: HOUR + 2 }])
  compare(0)
  t.strictSame(told.splice(0), [{ verdict: 'agrees', offset: 0 }])
  compare(-2 * HOUR)
  clock.hear('two:2', 2 * HOUR)
  t.match(told.splice(0), [{ verdict: 'unclear' }], 'they differ in different ways')
  for (let index = 0; index < 100; index++) clock.hear(`more${index}:1`, -2 * HOUR)
  t.match(told.splice(0), [{ verdict: 'redis' }], 'of so many the oldest are forgotten')
  stop()
  compare(0)
  t.strictSame(told, [])
})

t.test('an answer that took long makes no difference', async (t) => {
  const now = { own: 10 * HOUR }
  const clock = new RedisClock({ clock: () => now.own })
  clock.compare(now.own - 3 * HOUR, now.own - HOUR)
  t.equal(clock.offset, 0, 'it was that time at some moment in between')
  clock.compare(now.own - 100, now.own + 5)
  t.equal(clock.offset, 5)
  clock.compare(now.own - 100, now.own - 107)
  t.equal(clock.offset, -7)
})

t.test('the log says it once, and whose clock it is', async (t) => {
  const { server } = await serve(t)
  const lines: string[] = []
  const app = Fastify({
    logger: { level: 'info', stream: { write: (line: string) => void lines.push(line) } },
  })
  t.teardown(() => app.close())
  const own = { offset: 3 * HOUR }
  await app.register(stores, { redisUrl: server.url, clock: () => Date.now() + own.offset })
  await app.ready()
  const of = (text: RegExp) => lines.filter((line) => text.test(line))
  await eventually(() => of(/The clock of this machine, or that of Redis, is wrong/).length > 0)
  await t.rejects(app.stateStore.ping(), UNAVAILABLE)
  own.offset = 0
  await eventually(() => of(/agrees with that of Redis again/).length > 0)
  await app.stateStore.ping()
  t.equal(of(/is wrong/).length, 1)
  t.match(JSON.parse(of(/is wrong/)[0] ?? ''), { level: 50, redisAheadBySeconds: -3 * 3600 })
})

t.test('a user who may not ask for the time has heartbeats, and a sweep by its own clock', async (t) => {
  const { server, admin } = await serve(t)
  await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-time')
  const url = server.url.replace('redis://', 'redis://app:secret@')
  const { store } = await openFollowed(t, url, { clock: by(2 * HOUR) })
  await eventually(() => store.feed.healthy())
  t.equal(store.clock.offset, null)
  await store.endSignIn('a', 's', Date.now())
  await store.sweep(Date.now())
  t.type(await admin.zscore(LIST, 's:s'), 'string')
  await store.sweep(Date.now() + HOUR)
  t.equal(await admin.zscore(LIST, 's:s'), null)
})

t.test('the user center is not ready, and signs nobody in, until the clocks agree', async (t) => {
  const { server } = await serve(t)
  const [clock, referenceClock] = [testClock(), testClock()]
  const { app } = await startUserCenter(t, { REDIS_URL: server.url }, clock, referenceClock)
  // One probe a second is shared, by the injected clock.
  const readyz = async () => {
    for (const each of [clock, referenceClock]) each.advance(1)
    return (await app.inject('/readyz')).statusCode
  }
  const login = () =>
    app.inject({ method: 'POST', url: '/login_token', payload: { username: 'user1', password: 'user123' } })
  t.equal(await readyz(), 200)
  const { refresh_token } = (await login()).json().data
  clock.advance(2 * 3600)
  await eventually(async () => (await readyz()) === 503)
  const refresh = () => app.inject({ method: 'POST', url: '/refresh_token', payload: { refresh_token } })
  for (const refused of [await login(), await refresh(), await app.inject('/readyz')]) {
    t.equal(refused.statusCode, 503)
    t.equal(refused.json().error, 'STORE_UNAVAILABLE')
    t.ok(refused.headers['retry-after'])
    t.notMatch(refused.body, /clock/, 'the reason is for the log')
  }
  t.equal((await app.inject('/healthz')).statusCode, 200)
  referenceClock.advance(2 * 3600)
  await eventually(async () => (await readyz()) === 200)
  t.equal((await login()).statusCode, 200)
  t.equal((await refresh()).statusCode, 200)
})
