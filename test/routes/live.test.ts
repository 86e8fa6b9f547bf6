import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import Database from 'libsql'
import { type Test, test } from 'tap'
import { databaseFile } from '../../plugins/lib/database/embedded.js'
import { revocationKeys } from '../../plugins/lib/stores/redis/revocations.js'
import { PREFIX } from '../../plugins/lib/stores/redis/scripts.js'
import { atMostEvery, EventStream } from '../../routes/http/event-stream.js'
import { readSeries } from '../helpers/exposition.js'
import { eventually } from '../helpers/followed.js'
import {
  ADMIN,
  type Credential,
  credentialCookies,
  listen,
  MODES,
  post,
  refusedByCenter,
  signIn,
  USER,
} from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { makeDataDir, startUserCenter, testClock } from '../helpers/user-center.js'

interface Event {
  readonly event: string
  readonly data: Record<string, string>
}

/** Reads a stream event by event. `next` resolves with null at its end. A connection of its own, which ends with it. */
async function follow(t: Test, origin: string, headers: Credential) {
  const request = get(`${origin}/live`, { headers, agent: false })
  t.teardown(() => request.destroy())
  const [response]: [IncomingMessage] = (await once(request, 'response')) as [IncomingMessage]
  t.equal(response.statusCode, 200)
  const chunks = response.setEncoding('utf8')[Symbol.asyncIterator]()
  let text = ''
  const next = async (): Promise<Event | null> => {
    for (;;) {
      const [block, ...rest] = text.split('\n\n')
      if (rest.length > 0) {
        text = rest.join('\n\n')
        const isComment = block?.startsWith(':')
        if (isComment) continue
        const [, event = '', data = ''] = /^event: (\w+)\ndata: (.+)$/.exec(block ?? '') ?? []
        return { event, data: JSON.parse(data) }
      }
      const { value, done } = await chunks.next()
      if (done) return null
      text += value
    }
  }
  return { headers: response.headers, next, leave: () => request.destroy() }
}

async function start(t: Test, env: Record<string, string> = {}) {
  const center = await startUserCenter(t, env)
  return { ...center, origin: `http://127.0.0.1:${await listen(center.app)}` }
}

const [, FEED] = revocationKeys(PREFIX)
const CHANNEL = `${PREFIX}sign-ins`

const credentialOf = async (app: FastifyInstance, mode: (typeof MODES)[number]) =>
  (await signIn(app, mode)).credential

for (const mode of MODES) {
  test(`${mode}: hello, sign_ins, and at its end signed_out`, async (t) => {
    const { app, origin } = await start(t)
    const credential = await credentialOf(app, mode)
    const { headers, next } = await follow(t, origin, credential)
    t.match(headers['content-type'], /^text\/event-stream/)
    t.equal(headers['cache-control'], 'no-store')
    const [own] = (await app.inject({ url: '/sign_ins', headers: credential })).json().data
    t.strictSame(await next(), { event: 'hello', data: { sign_in_id: own.id, expires_at: own.expires_at } })
    await credentialOf(app, 'cookie')
    t.strictSame(await next(), { event: 'sign_ins', data: {} })
    t.equal((await post(app, `/logout_${mode}`, {}, credential)).statusCode, 200)
    let last = await next()
    if (last?.event === 'sign_ins') last = await next()
    t.strictSame(last, { event: 'signed_out', data: { error: 'SIGNED_OUT' } })
    t.equal(await next(), null, 'the stream is over')
    refusedByCenter(t, await app.inject({ url: '/live', headers: credential }), 403, 'SIGNED_OUT')
  })
}

for (const mode of MODES) {
  test(`${mode}: a step-up keeps the stream open, and its old credential ends it no sooner`, async (t) => {
    const { app, origin, clock } = await start(t)
    const { credential, refreshToken } = await signIn(app, mode)
    const { next } = await follow(t, origin, credential)
    const hello = await next()
    clock.advance(1)
    const token = mode === 'token' ? { refresh_token: refreshToken } : {}
    const stepped = await post(app, '/step_up', { password: USER.password, ...token }, credential)
    t.equal(stepped.statusCode, 200, stepped.body)
    clock.advance(60)
    await credentialOf(app, mode)
    t.match(await next(), { event: 'sign_ins' }, 'the stream goes on')
    const [cookie] = credentialCookies(stepped)
    const strong: Credential = cookie
      ? { cookie: `${cookie.name}=${cookie.value}` }
      : { authorization: `Bearer ${stepped.json().data.token}` }
    const again = await follow(t, origin, strong)
    t.equal((await again.next())?.data.sign_in_id, hello?.data.sign_in_id, 'one sign-in')
    t.equal((await post(app, `/logout_${mode}`, {}, strong)).statusCode, 200)
    let last = await next()
    if (last?.event === 'sign_ins') last = await next()
    t.strictSame(last, { event: 'signed_out', data: { error: 'SIGNED_OUT' } })
  })
}

test('a credential that expires: the code that a request would be refused with', async (t) => {
  for (const [mode, error] of [
    ['token', 'TOKEN_EXPIRED'],
    ['session', 'SIGNED_OUT'],
    ['cookie', 'CREDENTIAL_EXPIRED'],
  ] as const) {
    const { app, origin, clock } = await start(t)
    const credential = await credentialOf(app, mode)
    const { next } = await follow(t, origin, credential)
    t.equal((await next())?.event, 'hello')
    clock.advance(7300)
    t.strictSame(await next(), { event: 'signed_out', data: { error } }, mode)
    t.equal(await next(), null)
    refusedByCenter(t, await app.inject({ url: '/live', headers: credential }), 403, error)
  }
})

test('a key with the scope read follows its own end; one without is refused', async (t) => {
  const { app, origin } = await start(t)
  const person = await credentialOf(app, 'cookie')
  const make = async (scopes: string[]) =>
    (await post(app, '/api_keys', { name: 'x', scopes }, person)).json().data
  const { id, key } = await make(['read'])
  const headers = { authorization: `Bearer ${key}` }
  const { next } = await follow(t, origin, headers)
  t.match(await next(), { event: 'hello', data: { sign_in_id: id } })
  t.equal((await app.inject({ method: 'DELETE', url: `/api_keys/${id}`, headers: person })).statusCode, 200)
  let last = await next()
  if (last?.event === 'sign_ins') last = await next()
  t.strictSame(last, { event: 'signed_out', data: { error: 'SIGNED_OUT' } })
  const writer = { authorization: `Bearer ${(await make(['write'])).key}` }
  refusedByCenter(t, await app.inject({ url: '/live', headers: writer }), 403, 'SCOPE_REQUIRED')
})

const admin = async (app: FastifyInstance) => (await signIn(app, 'session', ADMIN)).credential
const change = async (app: FastifyInstance, payload: object) =>
  app.inject({ method: 'PATCH', url: '/accounts/user1', payload, headers: await admin(app) })

/** What an administrator, or the person in another sign-in, does to all sign-ins. */
const CHANGES: Readonly<Record<string, (app: FastifyInstance) => Promise<{ readonly statusCode: number }>>> =
  {
    'a new role': (app) => change(app, { role: 'admin' }),
    'a disabled account': (app) => change(app, { disabled: true }),
    async 'a new password'(app) {
      const passwords = { current_password: USER.password, new_password: 'three quiet ravens' }
      return post(app, '/password', passwords, await credentialOf(app, 'cookie'))
    },
    async 'an administrator who ends all sign-ins'(app) {
      return app.inject({ method: 'DELETE', url: '/accounts/user1/sign_ins', headers: await admin(app) })
    },
  }

for (const [name, make] of Object.entries(CHANGES)) {
  test(`${name} ends the streams of all modes, and of keys`, async (t) => {
    const { app, origin } = await start(t)
    const credentials = await Promise.all(MODES.map((mode) => credentialOf(app, mode)))
    const made = await post(app, '/api_keys', { name: 'x' }, credentials[1])
    credentials.push({ authorization: `Bearer ${made.json().data.key}` })
    const streams = await Promise.all(credentials.map((credential) => follow(t, origin, credential)))
    for (const { next } of streams) t.equal((await next())?.event, 'hello')
    t.equal((await make(app)).statusCode, 200)
    for (const { next } of streams) {
      let last = await next()
      while (last?.event === 'sign_ins') last = await next()
      t.strictSame(last, { event: 'signed_out', data: { error: 'SIGNED_OUT' } })
    }
  })
}

test('without a credential it is refused as everywhere, and HEAD opens nothing', async (t) => {
  const { app } = await start(t)
  const answer = await app.inject('/live')
  refusedByCenter(t, answer, 403, 'NOT_SIGNED_IN')
  t.equal(answer.headers['www-authenticate'], 'Bearer, DPoP algs="ES256 EdDSA RS256"')
  const headers = await credentialOf(app, 'cookie')
  t.equal((await app.inject({ method: 'HEAD', url: '/live', headers })).statusCode, 404)
  t.equal(app.live.open, 0)
})

test('metrics: how many are open, and closed by which reason', async (t) => {
  const { app, origin } = await start(t)
  const credential = await credentialOf(app, 'session')
  const [one, two] = [await follow(t, origin, credential), await follow(t, origin, credential)]
  await Promise.all([one.next(), two.next()])
  t.match(await readSeries(app), { live_connections: 2, 'live_closed_total{reason="signed_out"}': 0 })
  one.leave()
  while (app.live.open > 1) await delay(2)
  await post(app, '/logout_session', {}, credential)
  while (app.live.open > 0) await delay(2)
  t.match(await readSeries(app), {
    live_connections: 0,
    'live_closed_total{reason="signed_out"}': 1,
    'live_closed_total{reason="other"}': 1,
  })
})

test('somebody who leaves is forgotten; a stopping server ends the streams', async (t) => {
  const { app, origin } = await start(t)
  const credential = await credentialOf(app, 'cookie')
  const [one, two] = [await follow(t, origin, credential), await follow(t, origin, credential)]
  await Promise.all([one.next(), two.next()])
  t.equal(app.live.open, 2)
  one.leave()
  while (app.live.open > 1) await delay(2)
  const stopping = app.close()
  t.equal(await two.next(), null, 'it is not signed out')
  await stopping
  t.equal(app.live.open, 0)
})

test('over Redis: endings and new sign-ins of one instance reach the streams of another', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const clock = testClock()
  const env = { REDIS_URL: redis.url, DATA_DIR: makeDataDir(t) }
  const one = await startUserCenter(t, env, clock)
  const two = await startUserCenter(t, env, clock)
  const credential = await credentialOf(one.app, 'token')
  const { next } = await follow(t, `http://127.0.0.1:${await listen(two.app)}`, credential)
  t.equal((await next())?.event, 'hello')
  // Best effort: the connection of the channel may not be there yet.
  let hasHeard = false
  const telling = (async () => {
    while (!hasHeard) await post(one.app, '/login_cookie', USER)
  })()
  const told = await next()
  hasHeard = true
  await telling
  t.strictSame(told, { event: 'sign_ins', data: {} })
  t.equal((await post(one.app, '/logout_token', {}, credential)).statusCode, 200)
  let last = await next()
  while (last?.event === 'sign_ins') last = await next()
  t.strictSame(last, { event: 'signed_out', data: { error: 'SIGNED_OUT' } })
})

test('over Redis: logins write nothing to the feed of revocations, and a lost channel is opened again', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const [look, clock] = [new Redis(redis.url), testClock()]
  t.teardown(() => look.disconnect())
  const env = { REDIS_URL: redis.url, DATA_DIR: makeDataDir(t) }
  const [{ app }, two] = [await startUserCenter(t, env, clock), await startUserCenter(t, env, clock)]
  const credential = await credentialOf(app, 'token')
  const { next } = await follow(t, `http://127.0.0.1:${await listen(app)}`, credential)
  t.equal((await next())?.event, 'hello')
  // Heartbeats are there as well.
  const endings = async () => (await look.xrange(FEED, '-', '+')).filter(([, [name]]) => name === 'm').length
  const subscriber = async () => /id=\d+/.exec(String(await look.client('LIST', 'TYPE', 'PUBSUB')))?.[0]
  const isOpen = async () => Number((await look.pubsub('NUMSUB', CHANNEL))[1]) === 1
  await eventually(isOpen)
  const lost = await subscriber()
  await look.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
  await eventually(async () => (await isOpen()) && (await subscriber()) !== lost)
  const before = await endings()
  for (let login = 0; login < 5; login++) await post(two.app, '/login_cookie', USER)
  t.strictSame(await next(), { event: 'sign_ins', data: {} })
  t.equal(await endings(), before)
  await post(app, '/logout_token', {}, credential)
  t.equal(await endings(), before + 1, 'an end is there')
})

test('with SQLite, what the command line writes reaches the streams', async (t) => {
  const { app, origin, dataDir } = await start(t)
  const credential = await credentialOf(app, 'cookie')
  const { next } = await follow(t, origin, credential)
  t.equal((await next())?.event, 'hello')
  const other = new Database(databaseFile(dataDir))
  t.teardown(() => other.close())
  // The sign-in of another device.
  const copy = 'CREATE TEMP TABLE one AS SELECT * FROM sign_ins; UPDATE one SET id = id || 2;'
  other.exec(`${copy} INSERT INTO sign_ins SELECT * FROM one`)
  t.strictSame(await next(), { event: 'sign_ins', data: {} })
})

test('a comment comes from time to time, and nothing after the end', async (t) => {
  const stream = new EventStream(5)
  stream.setEncoding('utf8')
  let all = ''
  stream.on('data', (text) => {
    all += text
  })
  await once(stream, 'data')
  const ended = once(stream, 'close')
  stream.send('last', {})
  stream.finish()
  stream.finish()
  stream.send('late', {})
  await ended
  t.match(all, /^(:\n\n)+event: last\ndata: {}\n\n$/)
  t.ok(stream.destroyed)
})

test('a reader that is far behind is dropped', async (t) => {
  const stream = new EventStream()
  for (let sent = 0; sent < 1000 && !stream.destroyed; sent++)
    stream.send('sign_ins', { text: 'x'.repeat(100) })
  t.ok(stream.destroyed)
})

test('at most every so often: at once, and once more for all that came meanwhile', async (t) => {
  let calls = 0
  const call = atMostEvery(20, () => calls++)
  for (let index = 0; index < 10; index++) call()
  t.equal(calls, 1)
  while (calls < 2) await delay(2)
  await delay(60)
  t.equal(calls, 2)
})

test('a sign-in that ends after the guard ran is refused as a guard refuses', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  app.signIns.find = async () => null
  const answer = await app.inject({ url: '/live', headers: credential })
  refusedByCenter(t, answer, 403, 'SIGNED_OUT')
  t.equal(answer.headers['www-authenticate'], 'Bearer')
})
