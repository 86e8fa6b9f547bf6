import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { ModeName } from '../../../../../plugins/lib/contract.js'
import { openFollowed } from '../../../../helpers/followed.js'
import { ownTime } from '../../../../helpers/own-time.js'
import { startRedis } from '../../../../helpers/redis-server.js'
import {
  buildSuite,
  cookieHeader,
  cookieMode,
  type Headers,
  type Suite,
  sessionMode,
  TestClock,
  tokenMode,
} from '../../../../helpers/suite.js'

/* What the copy of the revocation list promises, seen from outside: two applications with every mode, over one Redis. */

t.setTimeout(600_000)

const MODES: readonly ModeName[] = ['token', 'session', 'cookie']

async function twoSuites(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const clock = new TestClock()
  const start = async () => {
    const { store, changes } = await openFollowed(t, redis.url)
    const signIns = { cap: 1000 }
    const modes = [tokenMode(), sessionMode(), cookieMode()]
    return { ...(await buildSuite(t, { modes, store, clock, signIns })), changes }
  }
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  return { here: await start(), there: await start(), admin, clock }
}

/** Signs in, and returns what the client sends from then on. */
async function credentialFor(suite: Suite, mode: ModeName): Promise<Headers> {
  const response = await suite.signIn(mode)
  if (response.statusCode !== 200) throw new Error(response.body)
  if (mode === 'token') return { authorization: `Bearer ${response.json().issued.token}` }
  return cookieHeader(response)
}

/** Lets sockets have their turn, as between requests that come over one: an injected request does not. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Commands since the last RESETSTAT, by name. */
async function commands(admin: Redis): Promise<Partial<Record<string, number>>> {
  const lines = (await admin.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g)
  return Object.fromEntries([...lines].map(([, name = '', calls]) => [name, Number(calls)]))
}

/** What heartbeats, their feed, and a look at the replicas every five seconds consist of. */
const QUESTION = ['zadd', 'time', 'xrevrange', 'zscore', 'xadd']
const BACKGROUND = ['evalsha', ...QUESTION, 'xread', 'info', 'config|resetstat']

/** Short ones: in each of them the machine may keep this process waiting. */
const PARTS = 10

t.test(
  '0 commands for 10 000 requests with a cached credential in each mode, besides heartbeats',
  async (t) => {
    const { here, admin } = await twoSuites(t)
    for (const mode of MODES) {
      const credential = await credentialFor(here, mode)
      // The first one is also seen for the first time.
      t.equal((await here.me(credential)).statusCode, 200, mode)
      for (let part = 0; part < PARTS; part++) {
        const counted: Partial<Record<string, number>> = await undisturbed(here.changes, async () => {
          await admin.config('RESETSTAT')
          const start = performance.now()
          for (let index = 0; index < 10_000 / PARTS; index++) {
            if ((await here.me(credential)).statusCode !== 200) t.fail('refused')
            await turn()
          }
          return { ...(await commands(admin)), seconds: (performance.now() - start) / 1000 }
        })
        const { evalsha = 0, zadd = 0, xadd = 0, info = 0, seconds = 0, ...all } = counted
        t.strictSame(
          Object.keys(all).filter((name) => !BACKGROUND.includes(name)),
          [],
          mode,
        )
        t.ok(evalsha <= zadd + info, 'every script asks for a heartbeat, or looks at the replicas')
        t.ok(zadd <= 2 * 5 * (seconds + 1), `${zadd} questions of two instances in ${seconds.toFixed(1)} s`)
        t.ok(
          xadd <= 5 * (seconds + 1),
          `${xadd} heartbeats in ${seconds.toFixed(1)} s, however many instances`,
        )
      }
    }
  },
)

/** Again, where the machine kept the process waiting so long that its feed was lost. */
async function undisturbed<T>(changes: { length: number }, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    changes.length = 0
    const result = await work()
    if (changes.length === 0 || attempt === 20) return result
  }
}

/** Requests without end, with credentials that stay good. */
function load(suite: Suite, credentials: readonly Headers[]) {
  const state = { running: true, sent: 0, refused: 0 }
  const client = async (first: number) => {
    for (let next = first; state.running; next++) {
      if ((await suite.me(credentials[next % credentials.length])).statusCode !== 200) state.refused++
      state.sent++
      await turn()
    }
  }
  const clients = [0, 1].map(client)
  return {
    state,
    async stop() {
      state.running = false
      await Promise.all(clients)
    },
  }
}

t.test('1 000 revocations under load: 0 accepted where they were answered', async (t) => {
  const { here, there } = await twoSuites(t)
  const steady = await Promise.all(MODES.map((mode) => credentialFor(here, mode)))
  const loads = [here, there].map((suite) => load(suite, steady))
  const lags: number[] = []
  const outcome = { neverGood: 0, failed: 0, accepted: 0 }
  for (let round = 0; round < 1000; round++) {
    const mode = MODES[round % 3] ?? 'cookie'
    const [own, other] = round % 2 ? [here, there] : [there, here]
    const credential = await credentialFor(own, mode)
    if ((await other.me(credential)).statusCode !== 200) outcome.neverGood++
    const out = await own.signOut(mode, credential)
    const answered = ownTime()
    if (out.statusCode !== 200) outcome.failed++
    if ((await own.me(credential)).json().code !== 'SIGNED_OUT') outcome.accepted++
    while ((await other.me(credential)).statusCode === 200 && ownTime() - answered < 3000) await turn()
    lags.push(ownTime() - answered)
  }
  for (const { state, stop } of loads) {
    await stop()
    t.equal(state.refused, 0)
    t.ok(state.sent > 1000, `${state.sent} requests beside`)
  }
  t.strictSame(outcome, { neverGood: 0, failed: 0, accepted: 0 })
  lags.sort((a, b) => a - b)
  const [median = 0, p99 = 0, max = Number.POSITIVE_INFINITY] = [499, 989, 999].map((at) => lags[at])
  t.comment(
    `refused elsewhere after ${median.toFixed(1)} ms (median), ${p99.toFixed(1)} (p99), ${max.toFixed(1)} (max)`,
  )
  t.ok(max < 1000)
})
