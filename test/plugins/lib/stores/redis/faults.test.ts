import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { StateStore } from '../../../../../plugins/lib/stores/contract.js'
import { closeRedis, firstAttempt, openRedis } from '../../../../../plugins/lib/stores/redis/client.js'
import { RedisStore } from '../../../../../plugins/lib/stores/redis/store.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { type RedisServer, type RedisServerOptions, startRedis } from '../../../../helpers/redis-server.js'
import { sessionRecord, signInRecord } from '../../../../store-contract.js'

const NOW = signInRecord().createdAt
const UNTIL = signInRecord().absoluteExpiresAt
const TIMEOUT = 300
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }

async function serve(t: Test, options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  t.teardown(() => server.stop())
  return server
}

function openStore(t: Test, url: string, onError?: (error: Error) => void) {
  const client = openRedis(url, { commandTimeout: TIMEOUT, ...(onError ? { onError } : {}) })
  const onClose = () => closeRedis(client)
  t.teardown(onClose)
  return { client, store: new RedisStore(client, { commandTimeout: TIMEOUT, onClose }) }
}

async function connected(t: Test, url: string) {
  const opened = openStore(t, url)
  await firstAttempt(opened.client, 2000)
  return opened
}

/** Every operation, each of which must fail alike. */
function everyOperation(store: StateStore): (() => unknown)[] {
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: 1 }
  return [
    () => store.ping(),
    () => store.generation(),
    () => store.isLive(ref),
    () => store.addSignIn(signInRecord()),
    () => store.findSignIn('a', 's', NOW),
    () => store.listSignIns('a', NOW),
    () => store.touchSignIn('a', 's', NOW, NOW),
    () => store.rotateRefresh('a', 's', { presented: 0, keyId: 'k', now: NOW, grace: 0 }),
    () => store.endSignIn('a', 's', UNTIL),
    () => store.endSignIns('a', null, NOW),
    () => store.raiseEpoch('a', 2, null, UNTIL),
    () => store.createSession('k', sessionRecord()),
    () => store.readSession('k', NOW),
    () => store.replaceSession('k', sessionRecord({ version: 2 })),
    () => store.touchSession('k', NOW),
    () => store.destroySession('k'),
    () => store.sweep(NOW),
  ]
}

async function untilItAnswers(store: StateStore): Promise<void> {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    try {
      return await store.ping()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  throw new Error('The store did not recover.')
}

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const start = ownTime()
  await work()
  return ownTime() - start
}

t.test('a dead server is a fault at once, and its return is noticed', async (t) => {
  const server = await serve(t, { tcp: true })
  const { store } = await connected(t, server.url)
  await store.createSession('k', sessionRecord())
  await server.kill()
  await t.rejects(store.ping(), UNAVAILABLE)
  const took = await elapsed(async () => {
    for (const operation of everyOperation(store)) await t.rejects(async () => operation(), UNAVAILABLE)
  })
  t.ok(took < 5 * TIMEOUT, 'no operation waited for its timeout')
  await server.start()
  await untilItAnswers(store)
  t.equal(await store.readSession('k', NOW), null)
  t.equal(await store.createSession('k', sessionRecord()), true)
})

t.test(
  'a server that is down at the start is waited for no longer than it takes to be refused',
  async (t) => {
    const server = await serve(t, { tcp: true })
    await server.kill()
    const errors: Error[] = []
    const { client, store } = openStore(t, server.url, (error) => errors.push(error))
    t.ok((await elapsed(() => firstAttempt(client, 5000))) < 1000)
    await t.rejects(store.ping(), UNAVAILABLE)
    t.match(errors[0]?.message, 'ECONNREFUSED')
    await server.start()
    await untilItAnswers(store)
    await firstAttempt(client, 0)
  },
)

t.test('a frozen server is a fault within the timeout, and its return is noticed', async (t) => {
  const server = await serve(t, { tcp: true })
  const { store } = await connected(t, server.url)
  server.pause()
  t.teardown(() => server.resume())
  const start = performance.now()
  const took = await elapsed(() =>
    Promise.all(everyOperation(store).map((run) => t.rejects(async () => run(), UNAVAILABLE))),
  )
  t.ok(performance.now() - start >= TIMEOUT - 20, 'it was waited for')
  t.ok(took < 5 * TIMEOUT, `took ${took} ms`)
  await t.rejects(store.ping(), UNAVAILABLE)
  server.resume()
  await untilItAnswers(store)
})

t.test('closing hangs on no server: answering, frozen, dead, never there', async (t) => {
  const server = await serve(t, { tcp: true })
  const closers = await Promise.all([1, 2].map(() => connected(t, server.url)))
  t.ok((await elapsed(async () => closers[0]?.store.close())) < 500)
  server.pause()
  const frozen = openStore(t, server.url)
  await firstAttempt(frozen.client, 50)
  t.ok((await elapsed(async () => closers[1]?.store.close())) < 1000)
  t.ok((await elapsed(() => frozen.store.close())) < 1000)
  server.resume()
  const { store } = await connected(t, server.url)
  await server.kill()
  t.ok((await elapsed(() => store.close())) < 1000)
  await t.rejects(store.ping(), UNAVAILABLE)
  const { store: never } = openStore(t, server.url)
  t.ok((await elapsed(() => never.close())) < 1000)
})

t.test('an application’s client keeps its own settings, and stays open', async (t) => {
  const server = await serve(t)
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  const store = new RedisStore(client, { commandTimeout: TIMEOUT })
  await untilItAnswers(store)
  const generation = await store.generation()
  server.pause()
  const took = await elapsed(() => t.rejects(store.ping(), UNAVAILABLE))
  t.ok(took < 5 * TIMEOUT, 'in time, though the client itself would wait')
  server.resume()
  await untilItAnswers(store)
  await store.close()
  t.equal(await store.generation(), generation)
})

t.test('a list that was lost lets nothing live that came before', async (t) => {
  const server = await serve(t)
  const { store, client } = await connected(t, server.url)
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: await store.generation() }
  t.equal(await store.isLive(ref), true)
  await client.flushall()
  t.equal(await store.isLive(ref), false)
  await store.endSignIn('a', 'other', UNTIL)
  t.equal(await store.isLive(ref), false, 'a list that is written to before it has a marker has none')
  const generation = await store.generation()
  t.not(generation, ref.generation)
  t.equal(await store.isLive(ref), false)
  t.equal(await store.isLive({ ...ref, generation }), true)
})

t.test('a revocation that is not stored is a fault, and nothing is removed', async (t) => {
  const server = await serve(t)
  const { store, client } = await connected(t, server.url)
  const generation = await store.generation()
  await store.createSession('k', sessionRecord())
  await store.addSignIn(signInRecord({ sessionKey: 'k' }))
  await client.config('SET', 'maxmemory', '1')
  await t.rejects(store.endSignIn('account-1', 'sign-in-1', UNTIL), UNAVAILABLE)
  await t.rejects(store.endSignIns('account-1', null, NOW), UNAVAILABLE)
  t.ok(await store.findSignIn('account-1', 'sign-in-1', NOW))
  t.ok(await store.readSession('k', NOW))
  await client.config('SET', 'maxmemory', '0')
  t.equal(await store.endSignIn('account-1', 'sign-in-1', UNTIL), true)
  t.equal(await store.isLive({ accountId: 'account-1', signInId: 'sign-in-1', epoch: 1, generation }), false)
})

t.test('a primary that was demoted is a fault until there is one again', async (t) => {
  const server = await serve(t)
  const { store } = await connected(t, server.url)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.replicaof('127.0.0.1', '1')
  await t.rejects(store.endSignIn('a', 's', UNTIL), UNAVAILABLE)
  await admin.replicaof('NO', 'ONE')
  await untilItAnswers(store)
  t.equal(await store.endSignIn('a', 's', UNTIL), false)
})

t.test('scripts that the server forgot are sent again', async (t) => {
  const server = await serve(t)
  const { store, client } = await connected(t, server.url)
  const generation = await store.generation()
  await client.script('FLUSH')
  t.equal(await store.generation(), generation)
})

t.test('no error names a password or a key', async (t) => {
  const server = await serve(t, { tcp: true, args: ['--requirepass', 'the-real-password'] })
  const errors: unknown[] = []
  const url = server.url.replace('redis://', 'redis://:the-wrong-password@')
  const { client, store } = openStore(t, url, (error) => errors.push(error))
  await firstAttempt(client, 2000)
  await store.createSession('a-session-key', sessionRecord()).catch((error) => errors.push(error))
  const good = await connected(t, server.url.replace('redis://', 'redis://:the-real-password@'))
  await good.client.set('fid:se:a-session-key', 'wrong kind of thing')
  await good.client.del('fid:{rev}')
  await good.client.set('fid:{rev}', 'a string')
  await good.store.endSignIn('account', 'a-sign-in', UNTIL).catch((error) => errors.push(error))
  const text = inspect(errors, { depth: 10, showHidden: true })
  t.match(text, 'WRONGPASS')
  t.match(text, 'WRONGTYPE')
  t.notMatch(text, /the-(real|wrong)-password|a-session-key|a-sign-in/)
})
