import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { SignInRef } from '../../../../../plugins/lib/contract.js'
import { answerAtOnce, eventually, openFollowed } from '../../../../helpers/followed.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { type RedisServer, startRedis } from '../../../../helpers/redis-server.js'
import { startProxy, type TcpProxy } from '../../../../helpers/tcp-proxy.js'

/*
 * Each fault happens for real, between one process's store (`there`) and Redis. Another one (`here`) is told to
 * revoke. However it goes: `there` never accepts what was revoked a second after the revoker had its answer, no
 * question hangs beyond the command timeout, and everything recovers by itself.
 */

const TIMEOUT = 400
const SECOND = 1000
/** Of the machine, which has more to do. */
const AIR = 350
const UNTIL = 2 ** 50

type Followed = Awaited<ReturnType<typeof openFollowed>>

interface Scene {
  readonly t: Test
  readonly server: RedisServer
  readonly proxy: TcpProxy
  readonly admin: Redis
  readonly here: Followed
  readonly there: Followed
  /** Of a sign-in that nobody has ended. */
  ref(signInId: string): SignInRef
}

async function setTheScene(t: Test): Promise<Scene> {
  const server = await startRedis({ tcp: true, args: ['--enable-debug-command', 'yes'] })
  t.teardown(() => server.stop())
  const proxy = await startProxy(server.port)
  t.teardown(() => proxy.close())
  const admin = new Redis(server.url, { maxRetriesPerRequest: 0 })
  admin.on('error', () => {})
  t.teardown(() => admin.disconnect())
  const here = await openFollowed(t, server.url, { commandTimeout: TIMEOUT })
  const there = await openFollowed(t, proxy.url, { commandTimeout: TIMEOUT })
  const generation = await here.store.generation()
  const ref = (signInId: string) => ({ accountId: 'a', signInId, epoch: 1, generation })
  await eventually(() => answerAtOnce(there.store, ref('ended')) === true)
  return { t, server, proxy, admin, here, there, ref }
}

interface Seen {
  /** When it was last answered with yes, with no, and with a fault, on the monotonic clock; 0 for never. */
  yes: number
  no: number
  fault: number
  /** The longest that an answer took, in ms. */
  longest: number
}

/** Asks again and again, as requests would. */
async function ask({ there, ref }: Scene, signInId: string, until: () => boolean): Promise<Seen> {
  const seen = { yes: 0, no: 0, fault: 0, longest: 0 }
  while (!until()) {
    const start = ownTime()
    const answer = await Promise.resolve()
      .then(() => there.store.isLive(ref(signInId)))
      .catch((error: { code?: string }) => error.code)
    const now = ownTime()
    seen.longest = Math.max(seen.longest, now - start)
    if (answer === true) seen.yes = now
    else if (answer === false) seen.no = now
    else if (answer === 'STORE_UNAVAILABLE') seen.fault = now
    else throw new Error(String(answer))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return seen
}

interface Fault {
  readonly inject: (scene: Scene) => unknown
  readonly heal?: (scene: Scene) => unknown
  /** Nobody can store a revocation meanwhile. */
  readonly blocksAll?: boolean
  /** The feed may stay healthy. */
  readonly harmless?: boolean
  /** Everybody has to sign in again. */
  readonly losesList?: boolean
}

const heal = ({ proxy }: Scene) => proxy.heal()

const FAULTS: Record<string, Fault> = {
  'every connection is cut, and no new one comes to be': {
    inject: ({ proxy }) => proxy.cut('all', true),
    heal,
  },
  'the feed’s connection is cut': { inject: ({ proxy }) => proxy.cut('feed') },
  'the command connection is cut': { inject: ({ proxy }) => proxy.cut('commands'), harmless: true },
  'the network freezes': { inject: ({ proxy }) => proxy.freeze(), heal },
  'the feed’s connection freezes': { inject: ({ proxy }) => proxy.freeze('feed'), heal },
  'every connection is half-open': { inject: ({ proxy }) => proxy.halfOpen(), heal },
  'the feed’s connection is half-open': { inject: ({ proxy }) => proxy.halfOpen('feed'), heal },
  'the command connection is half-open': {
    inject: ({ proxy }) => proxy.halfOpen('commands'),
    heal,
    harmless: true,
  },
  'the network is slow': { inject: ({ proxy }) => proxy.delay(150), heal, harmless: true },
  'the network is slower than is of use': { inject: ({ proxy }) => proxy.delay(900), heal },
  'Redis closes every connection': {
    inject: ({ admin }) => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  },
  'Redis pauses its clients': { inject: ({ admin }) => admin.client('PAUSE', 1200, 'ALL'), blocksAll: true },
  'Redis sleeps': { inject: ({ admin }) => void admin.call('DEBUG', 'SLEEP', '1.2'), blocksAll: true },
  'Redis is suspended': {
    inject: ({ server }) => server.pause(),
    heal: ({ server }) => server.resume(),
    blocksAll: true,
  },
  'Redis is killed, and comes back empty': {
    inject: ({ server }) => server.kill(),
    heal: ({ server }) => server.start(),
    blocksAll: true,
    losesList: true,
  },
  'Redis runs out of memory': {
    inject: ({ admin }) => admin.config('SET', 'maxmemory', '1'),
    heal: ({ admin }) => admin.config('SET', 'maxmemory', '0'),
    blocksAll: true,
  },
  'the primary becomes a replica of nobody': {
    inject: ({ admin }) => admin.replicaof('127.0.0.1', '1'),
    heal: ({ admin }) => admin.replicaof('NO', 'ONE'),
    blocksAll: true,
  },
  'everything is flushed': { inject: ({ admin }) => admin.flushall(), losesList: true, harmless: true },
  'the list is deleted': { inject: ({ admin }) => admin.del('fid:{rev}'), losesList: true, harmless: true },
  'the stream is deleted': { inject: ({ admin }) => admin.del('fid:{rev}:feed'), harmless: true },
  'the stream loses what the feed has not read': {
    async inject({ proxy, here, admin }) {
      proxy.cut('all', true)
      await here.store.endSignIn('a', 'missed', UNTIL)
      await admin.del('fid:{rev}:feed')
    },
    heal,
  },
  'somebody else writes into the stream': {
    inject: ({ admin }) => admin.xadd('fid:{rev}:feed', '*', 'what', 'ever'),
    harmless: true,
  },
}

/** What the store answers. On a busy machine, an answer may take longer than the command timeout: then asks again. */
async function answered<T>(work: () => Promise<T> | T): Promise<T> {
  const answers: T[] = []
  await eventually(async () => answers.push(await work()) > 0)
  return answers[0] as T
}

const endStored = ({ store }: Followed, accountId: string, signInId: string) =>
  answered(() => store.endSignIn(accountId, signInId, UNTIL))

async function endure(scene: Scene, { inject, heal, blocksAll, harmless, losesList }: Fault): Promise<void> {
  const { t, here, there, ref } = scene
  if (blocksAll) await endStored(here, 'a', 'ended')
  const revokedBefore = ownTime()
  await inject(scene)
  const injected = ownTime()
  if (!blocksAll) await endStored(here, 'a', 'ended')
  const revoked = blocksAll ? revokedBefore : ownTime()
  const over = () => ownTime() > Math.max(revoked, injected) + SECOND + AIR
  const [ended, other] = await Promise.all([ask(scene, 'ended', over), ask(scene, 'other', over)])
  t.ok(ended.yes - revoked < SECOND, `last accepted ${Math.round(ended.yes - revoked)} ms after the answer`)
  t.ok(Math.max(ended.longest, other.longest) < TIMEOUT + AIR, 'no question hangs')
  if (!harmless)
    t.ok(
      there.changes.some(({ kind }) => kind === 'feed_lost'),
      'the loss is told',
    )
  await heal?.(scene)
  await eventually(() => there.store.feed.healthy() && here.store.feed.healthy())
  await eventually(async () => (await there.store.isLive(ref('other'))) !== losesList)
  t.equal(await answered(() => there.store.isLive(ref('ended'))), false)
  t.equal(
    await answered(() => there.store.isLive(ref('missed'))),
    !losesList && !(await scene.admin.zscore('fid:{rev}', 's:missed')),
  )
}

async function recovered({ t, here, there }: Scene): Promise<void> {
  const generation = await answered(() => here.store.generation())
  const ref = { accountId: 'b', signInId: 'later', epoch: 1, generation }
  await eventually(() => answerAtOnce(there.store, ref) === true)
  t.pass('answers from memory again')
  await endStored(here, 'b', 'later')
  const since = ownTime()
  t.equal(await answered(() => here.store.isLive(ref)), false, 'where it was ended: at once')
  await eventually(() => answerAtOnce(there.store, ref) === false)
  t.ok(ownTime() - since < SECOND, 'and elsewhere')
}

t.jobs = 6
for (const [name, fault] of Object.entries(FAULTS)) {
  t.test(name, async (t) => {
    const scene = await setTheScene(t)
    await endure(scene, fault)
    await recovered(scene)
  })
}
