import { Secret, TOTP } from 'otpauth'
import t, { type Test } from 'tap'
import type { SuiteOptions } from '../../plugins/index.js'
import { accountOf, addAccount, addTotp, Client, factorApp } from '../helpers/factor-app.js'
import { PATIENT, startPostgres } from '../helpers/postgres-server.js'
import { startRedis } from '../helpers/redis-server.js'
import { NEXT_SECRET, SECRET, TestClock } from '../helpers/suite.js'

/** Pairs of each kind. `FC_RUNS=50` makes it 1000. */
const PAIRS = 20 * Number(process.env.FC_RUNS ?? 1)

/** Where the state and the accounts are. */
const PLACES: Readonly<Record<string, (t: Test, clock: TestClock) => Promise<Partial<SuiteOptions>>>> = {
  SQLite: async () => ({}),
  'Redis and PostgreSQL': async (t, clock) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const postgres = await startPostgres()
    t.teardown(() => postgres.stop())
    return {
      state: { redisUrl: redis.url, referenceClock: clock.read },
      accounts: { databaseUrl: await postgres.createDatabase(), pool: PATIENT },
    }
  },
}

/** Alice, who has two authenticator apps. A round is a step of time in which each of them has a new code. */
async function start(t: Test, more: Partial<SuiteOptions>, clock: TestClock) {
  const { app } = await factorApp(t, { throttle: { addressLimit: 100_000 }, ...more }, clock)
  await addAccount(app)
  const { code, owner } = await addTotp(app, clock)
  const { id, secret } = await app.factors.beginTotp(await accountOf(app, 'alice'))
  const other = new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6, period: 30 })
  const otherNow = () => other.generate({ timestamp: clock.now })
  if ((await owner.post('/totp', { id, code: otherNow() })).statusCode !== 200) throw new Error('not added')

  return { app, code, otherNow }
}

/** How many of each pair signed in: once for each number that came up. */
async function race(pairs: number, pair: (each: number) => Promise<readonly { statusCode: number }[]>) {
  const counts = new Set<string>()
  for (let each = 0; each < pairs; each++) {
    const statuses = (await pair(each)).map(({ statusCode }) => statusCode)
    counts.add(statuses.sort().join())
  }
  return [...counts]
}

const MODES = ['cookie', 'session', 'token'] as const

for (const [place, open] of Object.entries(PLACES)) {
  t.test(`${place}: only one of two parallel requests signs in`, async (t) => {
    const clock = new TestClock()
    const { app, code, otherNow } = await start(t, await open(t, clock), clock)
    const finish = (client: Client, pending: string, given: string) =>
      client.post('/finish', { pending, factor: 'totp', code: given })

    const twice = await race(PAIRS, async (each) => {
      const browser = new Client(app)
      const pending = await browser.pending(MODES[each % 3])
      const right = code()
      return Promise.all([finish(browser, pending, right), finish(browser, pending, right)])
    })
    t.strictSame(twice, ['200,401'], `${PAIRS} pairs of one pending sign-in and one code`)

    const both = await race(PAIRS, async (each) => {
      const browser = new Client(app)
      const pending = await browser.pending(MODES[each % 3])
      return Promise.all([finish(browser, pending, code()), finish(browser, pending, otherNow())])
    })
    t.strictSame(both, ['200,401'], `${PAIRS} pairs of one pending sign-in and two good codes`)

    const apart = await race(PAIRS, async (each) => {
      const [one, two] = [new Client(app), new Client(app)]
      const [first, second] = [await one.pending(MODES[each % 3]), await two.pending(MODES[each % 3])]
      const right = code()
      return Promise.all([finish(one, first, right), finish(two, second, right)])
    })
    t.strictSame(apart, ['200,401'], `${PAIRS} pairs of two pending sign-ins and one code`)
  })
}

t.test('a pending sign-in outlives a rotation of secrets, and goes on at another instance', async (t) => {
  const clock = new TestClock()
  const place = (await PLACES['Redis and PostgreSQL']?.(t, clock)) ?? {}
  const old = await start(t, place, clock)
  const next = await factorApp(t, { ...place, secrets: [NEXT_SECRET, SECRET] }, clock)
  const client = new Client(old.app)
  const pending = await client.pending('cookie')
  const there = new Client(next.app)
  for (const [name, value] of client.jar) there.jar.set(name, value)
  const finished = await there.post('/finish', { pending, factor: 'totp', code: old.code() })
  t.equal(finished.statusCode, 200, finished.body)
  const again = await client.post('/finish', { pending, factor: 'totp', code: old.code() })
  t.equal(again.statusCode, 401, 'and is used once over both')
})
