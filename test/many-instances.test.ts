import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type Balancer, SERVED_BY, startHaproxy } from './helpers/haproxy.js'
import { ADMIN, type Credential, MODES, type Mode, USER } from './helpers/http.js'
import { ownTime } from './helpers/own-time.js'
import { buildUserCenter, type Center, startCenter } from './helpers/processes.js'
import { type RedisServer, startRedis } from './helpers/redis-server.js'
import { makeDataDir } from './helpers/user-center.js'

/*
 * The user center as it runs in production, but for TLS: three processes, one Redis, one balancer, real sockets.
 * One fleet for the whole file, and each test leaves it as it was; the last one takes a process away.
 */

t.setTimeout(600_000)

/** What elsewhere may take to hear of a revocation, counted from its answer, in ms. */
const LAG_MAX = 1000

interface Answer {
  readonly status: number
  readonly error: string | undefined
  readonly headers: Headers
  readonly data: Record<string, unknown>
}

async function send(
  method: string,
  url: string,
  credential: Credential = {},
  payload?: object,
): Promise<Answer> {
  const json = payload && { 'content-type': 'application/json' }
  const body = payload && JSON.stringify(payload)
  const response = await fetch(url, { method, headers: { ...credential, ...json }, body: body ?? null })
  const { error, data = {} } = JSON.parse(await response.text())
  return { status: response.status, error, data, headers: response.headers }
}

const ask = (origin: string, credential: Credential) => send('GET', `${origin}/user_info`, credential)

function credentialOf({ status, error, headers, data }: Answer): Credential {
  if (status !== 200) throw new Error(`not signed in: ${status} ${error}`)
  if (typeof data.token === 'string') return { authorization: `Bearer ${data.token}` }
  const [cookie = ''] = headers.getSetCookie()
  return { cookie: cookie.split(';')[0] ?? '' }
}

async function signIn(origin: string, mode: Mode, who: object = USER): Promise<Credential> {
  return credentialOf(await send('POST', `${origin}/login_${mode}`, {}, who))
}

let redis: RedisServer
let centers: [Center, Center, Center]
let balancer: Balancer
/** Whatever was revoked: never good again, anywhere. */
const revoked: Credential[] = []
/** In ms. */
const lags: number[] = []

t.before(async () => {
  const [server, tree] = await Promise.all([startRedis({ tcp: true }), buildUserCenter(t)])
  redis = server
  t.teardown(() => redis.stop())
  const env = {
    AUTH_SECRETS: randomBytes(32).toString('base64url'),
    DATA_DIR: makeDataDir(t),
    REDIS_URL: redis.url,
    TRUST_PROXY: '127.0.0.1',
    LOG_LEVEL: 'info',
  }
  const start = () => startCenter(t, tree, env)
  centers = await Promise.all([start(), start(), start()])
  balancer = await startHaproxy(t, centers)
})

/** Admitted by every instance, and cached in each of them from then on. */
async function admittedEverywhere(t: Test, credential: Credential, name: string): Promise<void> {
  for (const { origin } of centers) t.equal((await ask(origin, credential)).status, 200, `${name}: admitted`)
}

/** Refused where it was revoked at once, and elsewhere in time. @param answered when the revoker was answered */
async function refusedEverywhere(
  t: Test,
  credential: Credential,
  name: string,
  { here, answered }: { here: Center; answered: number },
): Promise<void> {
  const elsewhere = centers.filter((center) => center !== here)
  const waiting = elsewhere.map(async ({ origin }) => {
    let answer = await ask(origin, credential)
    while (answer.status === 200 && ownTime() - answered < 2 * LAG_MAX) {
      answer = await ask(origin, credential)
    }
    return { answer, lag: ownTime() - answered }
  })
  const { status, error } = await ask(here.origin, credential)
  t.strictSame([status, error], [403, 'SIGNED_OUT'], `${name}: refused where it was ended`)
  for (const { answer, lag } of await Promise.all(waiting)) {
    t.strictSame([answer.status, answer.error], [403, 'SIGNED_OUT'], `${name}: refused elsewhere`)
    t.ok(lag <= LAG_MAX, `${name}: within ${LAG_MAX} ms (${lag.toFixed(1)})`)
    lags.push(lag)
  }
  revoked.push(credential)
}

t.test('sign in through one, sign out through another, ask the third', async (t) => {
  for (const mode of MODES) {
    const login = await send('POST', `${balancer.origin}/login_${mode}`, {}, USER)
    const credential = credentialOf(login)
    const logout = await send('POST', `${balancer.origin}/logout_${mode}`, credential)
    t.equal(logout.status, 200)
    const answered = ownTime()
    const third = await ask(balancer.origin, credential)
    const served = [login, logout, third].map(({ headers }) => headers.get(SERVED_BY))
    t.strictSame(served.toSorted(), ['center0', 'center1', 'center2'], `${mode}: by three instances`)
    const here = centers[Number(served[1]?.at(-1))]
    if (here) await refusedEverywhere(t, credential, mode, { here, answered })
  }
})

t.test('sign out with mode X here, use it in mode Y there', async (t) => {
  const [a, b] = centers
  let refused = 0
  for (const [index, x] of MODES.entries()) {
    for (const y of MODES) {
      const name = `${x}, ${y}`
      const caller = await signIn(a.origin, x)
      const other = await signIn(a.origin, y)
      await admittedEverywhere(t, caller, name)
      await admittedEverywhere(t, other, name)
      // All of them in one row of the matrix, the others in the next: the caller lives on there.
      const sparing = index % 2 === 1
      const ended = await send('DELETE', `${b.origin}/sign_ins${sparing ? '?except=current' : ''}`, caller)
      const answered = ownTime()
      t.strictSame([ended.status, ended.data], [200, { ended: sparing ? 1 : 2 }], name)
      await refusedEverywhere(t, other, name, { here: b, answered })
      if (sparing) {
        await admittedEverywhere(t, caller, `${name}: spared`)
        await send('DELETE', `${b.origin}/sign_ins`, caller)
      }
      await refusedEverywhere(t, caller, `${name}: the caller`, { here: b, answered: ownTime() })
      refused++
    }
  }
  t.equal(refused, 9)
})

t.test('a plain logout here is known there', async (t) => {
  const [a, b] = centers
  for (const mode of MODES) {
    const credential = await signIn(a.origin, mode)
    await admittedEverywhere(t, credential, mode)
    t.equal((await send('POST', `${b.origin}/logout_${mode}`, credential)).status, 200)
    await refusedEverywhere(t, credential, mode, { here: b, answered: ownTime() })
  }
})

t.test('an admin ends somebody’s sign-ins, in every mode, everywhere', async (t) => {
  const [a, b, c] = centers
  const theirs = await Promise.all(MODES.map((mode, index) => signIn([a, b, c][index]?.origin ?? '', mode)))
  for (const [index, credential] of theirs.entries())
    await admittedEverywhere(t, credential, `${MODES[index]}`)
  const admin = await signIn(a.origin, 'cookie', ADMIN)
  const ended = await send('DELETE', `${b.origin}/accounts/user1/sign_ins`, admin)
  const answered = ownTime()
  t.strictSame([ended.status, ended.data], [200, { ended: 3 }])
  await Promise.all(
    theirs.map((credential, index) =>
      refusedEverywhere(t, credential, `${MODES[index]}`, { here: b, answered }),
    ),
  )
  await admittedEverywhere(t, admin, 'the admin')
})

t.test('a new password ends every sign-in but the one that asked', async (t) => {
  const [a, b] = centers
  let who = USER
  for (const mode of MODES) {
    const caller = await signIn(a.origin, mode, who)
    const others = await Promise.all(MODES.map((other) => signIn(a.origin, other, who)))
    for (const credential of [caller, ...others]) await admittedEverywhere(t, credential, mode)
    const next = { ...who, password: `correct horse of ${mode}` }
    const change = { current_password: who.password, new_password: next.password }
    const { status } = await send('POST', `${b.origin}/password`, caller, change)
    const answered = ownTime()
    t.equal(status, 200, mode)
    await Promise.all(
      others.map((credential, index) =>
        refusedEverywhere(t, credential, `${mode}, ${MODES[index]}`, { here: b, answered }),
      ),
    )
    await admittedEverywhere(t, caller, `${mode}: the caller`)
    const old = await send('POST', `${centers[2].origin}/login_${mode}`, {}, who)
    t.strictSame(
      [old.status, old.error],
      [401, 'CREDENTIALS_REFUSED'],
      'the old password is no good elsewhere',
    )
    who = next
  }
})

/** Commands since the last RESETSTAT, by name. */
async function commandsIn(admin: Redis): Promise<Map<string, number>> {
  const lines = (await admin.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g)
  return new Map([...lines].map(([, name = '', calls]) => [name, Number(calls)]))
}

/** So many requests are on their way at once on a connection: to ask must not cost more than to answer. */
const BATCH = 25

/** Asks over eight connections. @returns how many were not answered with 200 */
async function askOften({ port }: Center, credential: Credential, count: number): Promise<number> {
  const head = Object.entries(credential).map(([name, value]) => `${name}: ${value}\r\n`)
  const batch = `GET /user_info HTTP/1.1\r\nHost: 127.0.0.1\r\n${head.join('')}\r\n`.repeat(BATCH)
  let left = count
  let refused = 0
  const client = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    for (; left > 0; ) {
      left -= BATCH
      socket.write(batch)
      let statuses: string[] = []
      for (let text = ''; statuses.length < BATCH; ) {
        const [chunk] = await once(socket, 'data')
        text += chunk
        statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status)
      }
      refused += statuses.filter((status) => status !== '200').length
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: 8 }, client))
  return refused
}

/**
 * A question for the last heartbeat is a script (evalsha) that tries a write (zadd) and reads the clock (time) and the
 * feed's end (xrevrange). When a heartbeat is due, it reads the marker and the count (zscore) and adds one (xadd), which
 * each process reads (xread). Every five seconds a process looks for replicas, by a script too (info).
 */
const QUESTION = ['zadd', 'time', 'xrevrange']
const BACKGROUND = [...QUESTION, 'evalsha', 'zscore', 'xadd', 'xread', 'info', 'config|resetstat']

/** Short ones: in each of them the machine may keep a process waiting. */
const PARTS = 10

async function askCached(admin: Redis, center: Center, credential: Credential) {
  await admin.config('RESETSTAT')
  const from = performance.now()
  const refused = await askOften(center, credential, 10_000 / PARTS)
  const seconds = (performance.now() - from) / 1000
  const all = await commandsIn(admin)
  return { all, others: [...all].filter(([name]) => !BACKGROUND.includes(name)), seconds, refused }
}

/**
 * A process that the machine let stand still for most of a second asks Redis until its next heartbeat is back,
 * and once a minute each of them sweeps: such a run is no steady state, and is made again. What a request would
 * cost shows in every run.
 */
async function steadily<T extends { readonly others: readonly unknown[] }>(
  run: () => Promise<T>,
): Promise<T> {
  let result = await run()
  for (let again = 0; again < 30 && result.others.length > 0; again++) result = await run()
  return result
}

t.test('10 000 requests with a cached credential in each mode ask Redis for nothing', async (t) => {
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  const [center] = centers
  const { origin } = center
  for (const mode of MODES) {
    const credential = await signIn(origin, mode, ADMIN)
    t.equal((await ask(origin, credential)).status, 200)
    for (let part = 0; part < PARTS; part++) {
      const { all, others, seconds, refused } = await steadily(() => askCached(admin, center, credential))
      t.equal(refused, 0, `${mode}: all admitted`)
      t.strictSame(others, [], `${mode}: nothing but heartbeats in ${seconds.toFixed(1)} s`)
      const calls = (name: string) => all.get(name) ?? 0
      const questions = calls('evalsha') - calls('info')
      t.ok(
        questions <= centers.length * (5 * seconds + 2),
        `${mode}: ${questions} questions for the heartbeat`,
      )
      t.ok(calls('xadd') <= 4 * seconds + 2, `${mode}: ${calls('xadd')} heartbeats of all processes together`)
      for (const name of QUESTION)
        t.ok(Math.abs(calls(name) - questions) <= 1, `${mode}: each ${name} is part of a question`)
      t.ok(
        Math.abs(calls('zscore') - 2 * calls('xadd')) <= 2,
        `${mode}: each look at the list is one of theirs`,
      )
      t.ok(
        calls('xread') <= calls('xadd') * centers.length + 3 * centers.length,
        `${mode}: ${calls('xread')} reads of the feed`,
      )
    }
  }
})

interface Seen {
  readonly at: number
  readonly own: number
  readonly status: number
  readonly retryAfter: string | null
  readonly mode: string
}

/** Somebody at each of these, in each mode, who asks now and then who they are. */
function lightLoad(origins: readonly string[], credentials: readonly Credential[]) {
  const seen: Seen[] = []
  let running = true
  const client = async (origin: string, credential: Credential, mode: string) => {
    while (running) {
      const at = performance.now()
      const { status, headers } = await ask(origin, credential).catch(() => ({
        status: 0,
        headers: new Headers(),
      }))
      seen.push({ at, own: ownTime(), status, retryAfter: headers.get('retry-after'), mode })
      await delay(10)
    }
  }
  const clients = origins.flatMap((origin) =>
    credentials.map((credential, index) => client(origin, credential, `${MODES[index % MODES.length]}`)),
  )
  return {
    seen,
    async stop() {
      running = false
      await Promise.all(clients)
    },
  }
}

const signedInAsAdmin = (origin: string) => Promise.all(MODES.map((mode) => signIn(origin, mode, ADMIN)))

t.test(
  'a Redis that stands still for two seconds: 503 meanwhile, then all is well, and nobody is back',
  async (t) => {
    const [a, b] = centers
    const origins = centers.map(({ origin }) => origin)
    const good = await signedInAsAdmin(a.origin)
    const ended = await signedInAsAdmin(a.origin)
    const leaving = await signIn(a.origin, 'cookie', ADMIN)
    for (const [index, credential] of ended.entries()) {
      await admittedEverywhere(t, credential, 'before its end')
      t.equal((await send('POST', `${b.origin}/logout_${MODES[index]}`, credential)).status, 200)
      await refusedEverywhere(t, credential, 'ended before', { here: b, answered: ownTime() })
    }
    const load = lightLoad(origins, good)
    const undead = lightLoad(origins, ended)
    await delay(300)
    const frozen = performance.now()
    redis.pause()
    await delay(1000)
    const logout = await send('POST', `${b.origin}/logout_cookie`, leaving)
    t.strictSame(
      [logout.status, logout.error],
      [503, 'STORE_UNAVAILABLE'],
      'a logout that cannot be stored says so',
    )
    await delay(frozen + 2000 - performance.now())
    redis.resume()
    const resumed = ownTime()
    await delay(2500)
    await Promise.all([load.stop(), undead.stop()])

    const statuses = new Set(load.seen.map(({ status }) => status))
    t.strictSame([...statuses].toSorted(), [200, 503], 'nothing but 200 and 503')
    const unavailable = load.seen.filter(({ status }) => status === 503)
    t.ok(
      unavailable.every(({ at }) => at > frozen),
      'none before',
    )
    t.ok(
      unavailable.every(({ retryAfter }) => Number(retryAfter) > 0),
      'each with Retry-After',
    )
    const last = (unavailable.at(-1)?.own ?? 0) - resumed
    t.comment(
      `${unavailable.length} of ${load.seen.length} were 503; the last ${last.toFixed(0)} ms after Redis went on`,
    )
    t.ok(unavailable.length > 0, 'what cannot be known is not claimed')
    t.ok(last < 1500, 'recovered by itself')
    t.ok(undead.seen.length > 0)
    t.ok(
      undead.seen.every(({ status }) => status === 403 || status === 503),
      'nobody who was revoked comes back',
    )
    for (const credential of good) await admittedEverywhere(t, credential, 'afterwards')
  },
)

t.test('when one process is killed, the others go on', async (t) => {
  const [a, b, c] = centers
  const good = await signedInAsAdmin(b.origin)
  for (const credential of good) await admittedEverywhere(t, credential, 'before')
  const load = lightLoad([a.origin, c.origin, balancer.origin], good)
  await delay(300)
  process.kill(b.pid, 'SIGKILL')
  t.equal(await b.exit, 'SIGKILL')
  const killed = performance.now()
  await delay(1000)
  await load.stop()
  t.ok(load.seen.some(({ at }) => at > killed))
  t.same(
    load.seen.filter(({ status }) => status !== 200),
    [],
    'nobody who asked the others, or the balancer, was refused',
  )
  const [credential = {}] = good
  t.equal((await send('DELETE', `${a.origin}/sign_ins`, credential)).status, 200)
  const answered = ownTime()
  while ((await ask(c.origin, credential)).status === 200 && ownTime() - answered < 2 * LAG_MAX);
  t.ok(ownTime() - answered <= LAG_MAX, 'and they hear of each other')
})

t.test('after all that, whatever was revoked is refused, and the processes are well', async (t) => {
  const [a, , c] = centers
  for (const { origin } of [a, c]) {
    const answers = await Promise.all(revoked.map((credential) => ask(origin, credential)))
    t.same(
      answers.filter(({ status, error }) => status !== 403 || error !== 'SIGNED_OUT'),
      [],
      `${revoked.length} of them`,
    )
  }
  t.comment(
    `revocations known elsewhere after ${Math.max(...lags).toFixed(1)} ms at worst, of ${lags.length}`,
  )
  for (const center of [a, c]) {
    process.kill(center.pid, 'SIGTERM')
    t.equal(await center.exit, 0, 'ends when it is asked to')
    t.notMatch(center.output(), /unhandled|uncaught/i)
    for (const credential of revoked) {
      const text = Object.values(credential)
        .join()
        .replace(/^(Bearer |\w+=)/, '')
      if (center.output().includes(text)) t.fail('a credential is in the log')
    }
  }
})
