import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { type Credential, MODES, post, refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { startUserCenter } from '../helpers/user-center.js'

/*
 * What was raised is distributed, whatever happens between the account's row and the state store.
 */

const OLD = 'the old password'
const NEW = 'the new password'

async function makeAccount(app: FastifyInstance) {
  const { id, username } = await app.accounts.create({ username: 'somebody', password: OLD, role: 'user' })
  return { id, who: { username, password: OLD } }
}

async function signedIn(app: FastifyInstance, credential: Credential): Promise<boolean> {
  return (await userInfo(app, credential)).statusCode === 200
}

/** The store of a running application: the routes hold the same object. */
function failing(app: FastifyInstance, operation: 'raiseEpoch' | 'endSignIns') {
  const store: StateStore = app.stateStore
  let broken = true
  const real = store[operation]
  Object.defineProperty(store, operation, {
    configurable: true,
    writable: true,
    value: (...args: unknown[]) => {
      if (broken) return Promise.reject(new StoreUnavailable())
      return Reflect.apply(real, store, args)
    },
  })
  return {
    heal() {
      broken = false
    },
  }
}

async function eventually(t: Test, what: string, check: () => Promise<boolean>) {
  const deadline = Date.now() + 60_000
  while (!(await check()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  t.ok(await check(), what)
}

async function currentId(app: FastifyInstance, headers: Credential): Promise<string | undefined> {
  const entries: { id: string; current: boolean }[] = (await app.inject({ url: '/sign_ins', headers })).json()
    .data
  return entries.find(({ current }) => current)?.id
}

test('a change that cannot be distributed is 503, and is distributed as soon as it can be', async (t) => {
  for (const operation of ['raiseEpoch', 'endSignIns'] as const) {
    const { app } = await startUserCenter(t)
    const { id, who } = await makeAccount(app)
    const own = await signIn(app, 'cookie', who)
    const others: Credential[] = []
    for (const mode of MODES) others.push((await signIn(app, mode, who)).credential)
    const spare = await currentId(app, own.credential)
    const fault = failing(app, operation)
    await t.rejects(
      app.accounts.changePassword(id, OLD, NEW, spare),
      { code: 'STORE_UNAVAILABLE' },
      operation,
    )
    t.match(await app.accounts.find(id), { epoch: 2 }, 'it is stored all the same')
    fault.heal()
    // What begins meanwhile is not what has to end.
    const after = await signIn(app, 'session', { ...who, password: NEW })
    await eventually(t, `${operation}: the others are ended`, async () => {
      const records = await app.signIns.list(id)
      return records.length === 2 && !(await signedIn(app, others[0] ?? {}))
    })
    for (const credential of others)
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', operation)
    t.ok(await signedIn(app, own.credential), 'the spared one lives')
    t.ok(await signedIn(app, after.credential), 'and what began after')
  }
})

test('until a change is distributed, the one that it spares is refreshed, and no other', async (t) => {
  const { app } = await startUserCenter(t)
  const { id, who } = await makeAccount(app)
  const own = await signIn(app, 'token', who)
  const other = await signIn(app, 'token', who)
  const spare = await currentId(app, own.credential)
  const fault = failing(app, 'raiseEpoch')
  await t.rejects(app.accounts.changePassword(id, OLD, NEW, spare), { code: 'STORE_UNAVAILABLE' })
  const refresh = (token: string) => post(app, '/refresh_token', { refresh_token: token })
  refusedByCenter(t, await refresh(other.refreshToken), 401, 'REFRESH_REFUSED')
  t.equal((await refresh(own.refreshToken)).statusCode, 200)
  fault.heal()
})

test('a crash between the change and its distribution leaves nothing alive', async (t) => {
  const first = await startUserCenter(t)
  const { id, who } = await makeAccount(first.app)
  const own = await signIn(first.app, 'cookie', who)
  const others = []
  for (const mode of MODES) others.push(await signIn(first.app, mode, who))
  const spare = await currentId(first.app, own.credential)
  failing(first.app, 'raiseEpoch')
  await t.rejects(first.app.accounts.changePassword(id, OLD, NEW, spare), { code: 'STORE_UNAVAILABLE' })
  t.ok(await signedIn(first.app, others[0]?.credential ?? {}), 'nothing was claimed')
  // The process goes, and its store with it; the row stays.
  await first.app.close()
  const second = await startUserCenter(t, { DATA_DIR: first.dataDir }, first.clock)
  for (const { credential } of others) {
    refusedByCenter(t, await userInfo(second.app, credential), 403, 'SIGNED_OUT', 'from the first request on')
  }
  t.ok(await signedIn(second.app, own.credential), 'the spared one is known across the crash')
})

test('a crashed instance’s change is picked up by those that run', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const crashing = await startUserCenter(t, { REDIS_URL: redis.url })
  const { id, who } = await makeAccount(crashing.app)
  const { credential } = await signIn(crashing.app, 'token', who)
  failing(crashing.app, 'raiseEpoch')
  await t.rejects(crashing.app.accounts.setRole(id, 'admin'), { code: 'STORE_UNAVAILABLE' })
  await crashing.app.close()
  const env = { REDIS_URL: redis.url, DATA_DIR: crashing.dataDir }
  const both = await Promise.all([1, 2].map(() => startUserCenter(t, env, crashing.clock)))
  for (const { app } of both) refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
})
