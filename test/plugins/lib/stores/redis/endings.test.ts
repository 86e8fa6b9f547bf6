import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { StateStore } from '../../../../../plugins/lib/stores/contract.js'
import { END_SIGN_IN, END_SIGN_INS } from '../../../../../plugins/lib/stores/redis/ending-scripts.js'
import { FollowedStore } from '../../../../../plugins/lib/stores/redis/followed-store.js'
import { answerAtOnce, eventually, openFollowed } from '../../../../helpers/followed.js'
import { freePort, startRedis } from '../../../../helpers/redis-server.js'
import { startProxy } from '../../../../helpers/tcp-proxy.js'
import { sessionRecord, signInRecord } from '../../../../store-contract.js'

const NOW = signInRecord().createdAt
const UNTIL = NOW + 24 * 3_600_000
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }

async function open(t: Test, args: readonly string[] = []) {
  const server = await startRedis({ tcp: true, args })
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  return { server, admin }
}

/** Sign-ins a, b and c of one account, each with a session. */
async function begin(store: StateStore): Promise<void> {
  for (const id of ['a', 'b', 'c']) {
    await store.createSession(id, sessionRecord())
    await store.addSignIn(signInRecord({ id, sessionKey: id }))
  }
}

async function left(store: StateStore): Promise<string[]> {
  const ids = (await store.listSignIns('account-1', NOW)).map(({ id }) => id)
  for (const id of ['a', 'b', 'c']) if (await store.readSession(id, NOW)) ids.push(`session ${id}`)
  return ids.sort()
}

const ALL = ['a', 'b', 'c', 'session a', 'session b', 'session c']

/** The commands that clients send while `work` is done, but for what a feed sends by itself. */
async function sent(admin: Redis, work: () => Promise<unknown>): Promise<string[][]> {
  const monitor = await admin.monitor()
  const commands: string[][] = []
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') commands.push(args)
  })
  await work()
  await admin.echo('done')
  await eventually(() => commands.some(([, text]) => text === 'done'))
  monitor.disconnect()
  return commands.filter((args) => args.some((arg) => /^fid:(si|se):/.test(arg)))
}

t.test('an end is one command, with the session and with all others', async (t) => {
  const { server, admin } = await open(t)
  const { store } = await openFollowed(t, server.url)
  await begin(store)
  // Redis knows the scripts after that.
  await store.endSignIn('nobody', 'nothing', UNTIL)
  await store.endSignIns('nobody', null, NOW)
  const one = await sent(admin, () => store.endSignIn('account-1', 'a', UNTIL))
  t.strictSame(
    one.map(([name, sha]) => [name, sha]),
    [['evalsha', END_SIGN_IN.sha]],
  )
  t.strictSame(await left(store), ['b', 'c', 'session b', 'session c'])
  const others = await sent(admin, () => store.endSignIns('account-1', 'b', NOW))
  t.strictSame(
    others.map(([name, sha]) => [name, sha]),
    [['evalsha', END_SIGN_INS.sha]],
  )
  t.strictSame(await left(store), ['b', 'session b'])
})

t.test('what ended is known here before the feed tells of it', async (t) => {
  const { server } = await open(t)
  const proxy = await startProxy(server.port)
  t.teardown(() => proxy.close())
  const { store } = await openFollowed(t, proxy.url)
  const generation = await store.generation()
  const isLive = (signInId: string) =>
    answerAtOnce(store, { accountId: 'account-1', signInId, epoch: 1, generation })
  await begin(store)
  proxy.freeze('feed')
  await store.endSignIn('account-1', 'a', UNTIL)
  await store.endSignIn('account-1', 'without a record', UNTIL)
  await store.endSignIns('account-1', 'b', NOW)
  for (const id of ['a', 'without a record', 'c']) t.equal(isLive(id), false, id)
  t.not(isLive('b'), false)
})

t.test('what is ended comes as it is listed: newest first', async (t) => {
  const { server } = await open(t)
  const { store } = await openFollowed(t, server.url)
  for (const [id, age] of [
    ['old', 2],
    ['new', 0],
    ['middle', 1],
  ] as const) {
    await store.addSignIn(signInRecord({ id, createdAt: NOW - age }))
  }
  t.strictSame(await store.endSignIns('account-1', null, NOW), ['new', 'middle', 'old'])
})

t.test('a revocation that Redis has no room for leaves what was to be ended', async (t) => {
  const { server, admin } = await open(t)
  const { store } = await openFollowed(t, server.url)
  await begin(store)
  await admin.config('SET', 'maxmemory', '1')
  await t.rejects(store.endSignIn('account-1', 'a', UNTIL), UNAVAILABLE)
  await t.rejects(store.endSignIns('account-1', 'b', NOW), UNAVAILABLE)
  t.strictSame(await left(store), ALL)
  await admin.config('SET', 'maxmemory', '0')
  t.equal(await store.endSignIn('account-1', 'a', UNTIL), true)
  t.strictSame(await store.endSignIns('account-1', 'b', NOW), ['c'])
})

t.test('a script that is broken off leaves nothing that is gone and not refused', async (t) => {
  const { server, admin } = await open(t)
  await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-del')
  const { store } = await openFollowed(t, server.url.replace('redis://', 'redis://app:secret@'))
  const generation = await store.generation()
  // The first of them has nothing that it fails on.
  await store.addSignIn(signInRecord({ id: 'first' }))
  await begin(store)
  await t.rejects(store.endSignIn('account-1', 'a', UNTIL), UNAVAILABLE)
  await t.rejects(store.endSignIns('account-1', 'b', NOW), UNAVAILABLE)
  for (const signInId of ['first', 'a', 'c']) {
    t.type(await admin.zscore('fid:{rev}', `s:${signInId}`), 'string', 'stored')
    t.equal(
      answerAtOnce(store, { accountId: 'account-1', signInId, epoch: 1, generation }),
      false,
      'and known',
    )
  }
  t.equal(await admin.zscore('fid:{rev}', 's:b'), null)
})

t.test('a client that puts a prefix of its own before keys: the session goes all the same', async (t) => {
  const { server, admin } = await open(t)
  const client = new Redis(server.url, { keyPrefix: 'app:' })
  t.teardown(() => client.disconnect())
  const store = new FollowedStore(client)
  t.teardown(() => store.close())
  await store.feed.settle(3000)
  await begin(store)
  t.equal(await store.endSignIn('account-1', 'a', UNTIL), true)
  t.strictSame(await store.endSignIns('account-1', 'b', NOW), ['c'])
  t.strictSame(await left(store), ['b', 'session b'])
  t.strictSame((await admin.keys('*:se:*')).length, 1)
})

t.test('one node of a cluster, behind a client that knows of none: ended in steps', async (t) => {
  const { server, admin } = await open(t, [
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    String(await freePort()),
  ])
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  const { store } = await openFollowed(t, server.url)
  await begin(store)
  const names = async (work: () => Promise<unknown>) => (await sent(admin, work)).map(([name]) => name)
  const one = await names(async () => t.equal(await store.endSignIn('account-1', 'a', UNTIL), true))
  t.ok(one.includes('hdel'), 'in steps')
  await names(async () => t.strictSame(await store.endSignIns('account-1', 'b', NOW), ['c']))
  t.strictSame(await left(store), ['b', 'session b'])
})
