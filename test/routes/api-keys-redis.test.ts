import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { type Test, test } from 'tap'
import { type Credential, post, refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { makeDataDir, startUserCenter, testClock } from '../helpers/user-center.js'

/** Two user centers with one Redis, and the accounts of one directory. */
async function start(t: Test) {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const env = { REDIS_URL: redis.url, DATA_DIR: makeDataDir(t), AUTH_SECRETS: 's'.repeat(32) }
  const clock = testClock()
  const [here, there] = [await startUserCenter(t, env, clock), await startUserCenter(t, env, clock)]
  const { credential } = await signIn(here.app, 'cookie')
  const makeKey = async () => {
    const { id, key } = (await post(here.app, '/api_keys', { name: 'x' }, credential)).json().data
    return { id: String(id), headers: { authorization: `Bearer ${key}` } }
  }
  return { redis, here: here.app, there: there.app, credential, makeKey }
}

const statusOf = async (app: FastifyInstance, headers: Credential) =>
  (await userInfo(app, headers)).statusCode

/** Until an instance has heard of it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(5)
}

test('a key is good at every instance, and its end is known at every instance', async (t) => {
  const { here, there, makeKey, credential } = await start(t)
  const [key, other] = [await makeKey(), await makeKey()]
  for (const app of [here, there])
    for (const { headers } of [key, other]) t.equal(await statusOf(app, headers), 200)
  const ended = await there.inject({ method: 'DELETE', url: `/api_keys/${key.id}`, headers: credential })
  t.equal(ended.statusCode, 200)
  refusedByCenter(t, await userInfo(there, key.headers), 403, 'SIGNED_OUT', 'at once where it was ended')
  await until(async () => (await statusOf(here, key.headers)) === 403)
  refusedByCenter(t, await userInfo(here, key.headers), 403, 'SIGNED_OUT')
  for (const app of [here, there]) t.equal(await statusOf(app, other.headers), 200, 'the other one lives on')
})

test('when Redis loses everything, people sign in again, and live keys go on', async (t) => {
  const { redis, here, there, makeKey, credential } = await start(t)
  const [live, ended, unseen] = [await makeKey(), await makeKey(), await makeKey()]
  for (const app of [here, there])
    for (const { headers } of [live, ended]) t.equal(await statusOf(app, headers), 200)
  await here.inject({ method: 'DELETE', url: `/api_keys/${ended.id}`, headers: credential })
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  await admin.flushall()
  await until(async () => (await statusOf(here, credential)) === 403)
  refusedByCenter(t, await userInfo(here, credential), 403, 'SIGNED_OUT', 'a person')
  for (const app of [here, there]) {
    await until(async () => (await statusOf(app, live.headers)) === 200)
    t.equal(await statusOf(app, unseen.headers), 200)
    refusedByCenter(t, await userInfo(app, ended.headers), 403, 'SIGNED_OUT')
  }
  const again = (await signIn(here, 'session')).credential
  t.equal(
    (await here.inject({ method: 'DELETE', url: `/api_keys/${live.id}`, headers: again })).statusCode,
    200,
  )
  await until(async () => (await statusOf(there, live.headers)) === 403)
})

test('a new password ends keys at the other instance too', async (t) => {
  const { here, there, makeKey, credential } = await start(t)
  const { headers } = await makeKey()
  t.equal(await statusOf(there, headers), 200)
  const body = { current_password: 'user123', new_password: 'three quiet ravens' }
  t.equal((await post(here, '/password', body, credential)).statusCode, 200)
  refusedByCenter(t, await userInfo(here, headers), 403, 'SIGNED_OUT')
  await until(async () => (await statusOf(there, headers)) === 403)
})

test('when Redis is away, a key in use is 503 as soon as that is noticed', async (t) => {
  const { redis, here, makeKey } = await start(t)
  const { headers } = await makeKey()
  t.equal(await statusOf(here, headers), 200)
  await redis.kill()
  await until(async () => (await statusOf(here, headers)) === 503)
  refusedByCenter(t, await userInfo(here, headers), 503, 'STORE_UNAVAILABLE')
})
