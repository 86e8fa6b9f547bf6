import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { MODES, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'
import { ownTime } from '../helpers/own-time.js'
import { startRedis } from '../helpers/redis-server.js'
import { startUserCenter, type UserCenter } from '../helpers/user-center.js'

/** What a request may take while the store is away, in ms: the command timeout and some air. */
const IN_TIME = 2500

/** Everything that needs the store is refused in time, saying when to come back and nothing of the store. */
async function refusesAll(t: Test, app: FastifyInstance, credentials: readonly Record<string, string>[]) {
  const requests = [
    ...credentials.map((headers) => () => userInfo(app, headers)),
    ...credentials.map((headers) => () => app.inject({ url: '/sign_ins', headers })),
    ...MODES.map((mode) => () => post(app, `/login_${mode}`, USER)),
    ...MODES.map((mode, index) => () => post(app, `/logout_${mode}`, {}, credentials[index])),
    () => app.inject({ url: '/readyz' }),
  ]
  await Promise.all(
    requests.map(async (send) => {
      const since = ownTime()
      const response = await send()
      t.ok(ownTime() - since < IN_TIME, 'inside the command timeout')
      refusedByCenter(t, response, 503, 'STORE_UNAVAILABLE')
      t.match(response.headers['retry-after'], /^\d+$/)
      t.notMatch(response.body, /redis|ECONN|timed? ?out|stack/i)
      t.equal(response.headers['set-cookie'], undefined)
    }),
  )
}

async function answersPublic(t: Test, app: FastifyInstance) {
  t.equal((await app.inject({ url: '/healthz' })).statusCode, 200)
  refusedByCenter(t, await userInfo(app), 403, 'NOT_SIGNED_IN', 'nobody needs no store')
}

/** Waits until the process no longer answers from what it has heard of so far. It must within a second. */
async function noticesOutage(t: Test, app: FastifyInstance) {
  const since = ownTime()
  while (app.stateStore.feed?.healthy()) await new Promise((resolve) => setTimeout(resolve, 5))
  t.ok(ownTime() - since < 1000, 'noticed within a second')
}

/** Waits for the connection to come back by itself. */
async function recovers(t: Test, { app, clock }: Pick<UserCenter, 'app' | 'clock'>) {
  for (let tries = 0; tries < 1200; tries++) {
    // The last outcome has stood for its second.
    clock.advance(1)
    if ((await app.inject({ url: '/readyz' })).statusCode === 200) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.fail('did not recover within a minute')
}

test('Redis frozen: 503 in time, and recovery by itself with everybody still signed in', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const center = await startUserCenter(t, { REDIS_URL: redis.url })
  const { app } = center
  const credentials = []
  for (const mode of MODES) credentials.push((await signIn(app, mode)).credential)
  redis.pause()
  await noticesOutage(t, app)
  await refusesAll(t, app, credentials)
  await answersPublic(t, app)
  redis.resume()
  await recovers(t, center)
  await signIn(app, 'cookie')
})

test('Redis killed: 503 in time; what it lost is refused, never brought back', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const center = await startUserCenter(t, { REDIS_URL: redis.url })
  const { app } = center
  const credentials = []
  for (const mode of MODES) credentials.push((await signIn(app, mode)).credential)
  const out = await signIn(app, 'token')
  await post(app, '/logout_token', {}, out.credential)
  await redis.kill()
  await noticesOutage(t, app)
  await refusesAll(t, app, credentials)
  await answersPublic(t, app)
  await redis.start()
  await recovers(t, center)
  for (const headers of [...credentials, out.credential]) {
    refusedByCenter(t, await userInfo(app, headers), 403, 'SIGNED_OUT', 'the revocation list is another one')
  }
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    t.equal((await userInfo(app, credential)).json().auth_type, mode)
  }
})

test('Redis away at boot: the app starts, and works when it comes', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  await redis.kill()
  const center = await startUserCenter(t, { REDIS_URL: redis.url })
  const { app } = center
  await answersPublic(t, app)
  refusedByCenter(t, await post(app, '/login_cookie', USER), 503, 'STORE_UNAVAILABLE')
  await redis.start()
  await recovers(t, center)
  t.equal((await signIn(app, 'session')).response.statusCode, 200)
})

test('two instances on one Redis: signed in here, known there, signed out everywhere', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const url = redis.url
  const here = await startUserCenter(t, { REDIS_URL: url })
  const there = await startUserCenter(t, { REDIS_URL: url, DATA_DIR: here.dataDir }, here.clock)
  for (const mode of MODES) {
    const { credential } = await signIn(here.app, mode)
    t.equal((await userInfo(there.app, credential)).json().auth_type, mode)
    await post(there.app, `/logout_${mode}`, {}, credential)
    refusedByCenter(t, await userInfo(there.app, credential), 403, 'SIGNED_OUT', mode)
    const since = ownTime()
    while ((await userInfo(here.app, credential)).statusCode === 200 && ownTime() - since < 1000);
    refusedByCenter(t, await userInfo(here.app, credential), 403, 'SIGNED_OUT', mode)
  }
})
