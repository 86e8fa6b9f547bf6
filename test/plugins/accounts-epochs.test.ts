import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import type { Account } from '../../plugins/lib/contract.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { type Credential, MODES, post, refused, signIn, userInfo } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { makeGate } from '../helpers/session-app.js'
import { startUserCenter } from '../helpers/user-center.js'

/*
 * One write ends every sign-in of an account, in all three modes, on every instance; and a login that raced
 * it is dead on arrival.
 */

interface Center {
  /** Where the change is made, and another instance on the same stores (the same one over SQLite). */
  readonly here: FastifyInstance
  readonly there: FastifyInstance
}

const ENGINES: Record<string, (t: Test) => Promise<Center>> = {
  async sqlite(t) {
    const { app } = await startUserCenter(t)
    return { here: app, there: app }
  },
  async redis(t) {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const here = await startUserCenter(t, { REDIS_URL: redis.url })
    const env = { REDIS_URL: redis.url, DATA_DIR: here.dataDir }
    const there = await startUserCenter(t, env, here.clock)
    return { here: here.app, there: there.app }
  },
}

const OLD = 'the old password'
const NEW = 'the new password'

/** What ends everything an account holds. */
const CHANGES: Record<string, (app: FastifyInstance, id: string) => Promise<Account | null>> = {
  'a new password': (app, id) => app.accounts.changePassword(id, OLD, NEW),
  'another role': (app, id) => app.accounts.setRole(id, 'admin'),
  disabling: (app, id) => app.accounts.setDisabled(id, true),
  'signing out everywhere': (app, id) => app.accounts.raiseEpoch(id),
}

let names = 0

async function makeAccount(app: FastifyInstance) {
  names += 1
  const { id, username } = await app.accounts.create({ username: `p${names}`, password: OLD, role: 'user' })
  return { id, who: { username, password: OLD } }
}

/** Refused at once where the change was made, and on every other instance within the second that is promised. */
async function isRefused(t: Test, { here, there }: Center, credential: Credential, why: string) {
  refused(t, await userInfo(here, credential), 403, 'SIGNED_OUT', `${why}, here`)
  const deadline = Date.now() + 1000
  while ((await userInfo(there, credential)).statusCode === 200 && Date.now() < deadline);
  refused(t, await userInfo(there, credential), 403, 'SIGNED_OUT', `${why}, there`)
}

async function isRefreshRefused(t: Test, app: FastifyInstance, refreshToken: string, why: string) {
  const answer = await post(app, '/refresh_token', { refresh_token: refreshToken })
  refused(t, answer, 401, 'REFRESH_REFUSED', why)
}

/** Holds the next login up after its password was verified, until the gate opens. */
function holdLogin(app: FastifyInstance) {
  const [verified, go] = [makeGate(), makeGate()]
  const source = app.accountSource
  app.accountSource = {
    find: source.find,
    async verify(username, password) {
      const account = await source.verify(username, password)
      app.accountSource = source
      verified.open()
      await go.opened
      return account
    },
  }
  return { verified: verified.opened, go: go.open }
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
  const deadline = Date.now() + 5000
  while (!(await check()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  t.ok(await check(), what)
}

async function signedIn(app: FastifyInstance, credential: Credential): Promise<boolean> {
  return (await userInfo(app, credential)).statusCode === 200
}

for (const [engine, start] of Object.entries(ENGINES)) {
  test(`over ${engine}`, async (t) => {
    const center = await start(t)
    const { here, there } = center

    for (const [name, change] of Object.entries(CHANGES)) {
      t.test(`${name} ends every sign-in of the account in all three modes, and of no other`, async (t) => {
        const { id, who } = await makeAccount(here)
        const bystander = await makeAccount(here)
        const theirs = await signIn(there, 'cookie', bystander.who)
        const before = []
        for (const mode of MODES) before.push(await signIn(there, mode, who))
        for (const { credential } of before) t.ok(await signedIn(here, credential))
        t.match(await change(here, id), { id, epoch: 2 })
        for (const [index, { credential, refreshToken }] of before.entries()) {
          await isRefused(t, center, credential, `${MODES[index]}`)
          if (refreshToken) await isRefreshRefused(t, there, refreshToken, 'its refresh token')
        }
        t.strictSame(await here.signIns.list(id), [], 'no list shows them')
        t.ok(await signedIn(here, theirs.credential))
        t.ok(await signedIn(there, theirs.credential))
      })

      t.test(`a login that ${name} races is dead on arrival, in all three modes`, async (t) => {
        for (const mode of MODES) {
          const { id, who } = await makeAccount(here)
          const gate = holdLogin(there)
          const login = signIn(there, mode, who)
          await gate.verified
          await change(here, id)
          gate.go()
          const { credential, refreshToken } = await login
          await isRefused(t, center, credential, mode)
          if (refreshToken) await isRefreshRefused(t, there, refreshToken, 'its refresh token')
          t.strictSame(await here.signIns.list(id), [], 'no list shows it')
        }
      })
    }

    t.test('what is issued after the change, in the same millisecond, lives', async (t) => {
      const { id, who } = await makeAccount(here)
      await here.accounts.changePassword(id, OLD, NEW)
      for (const mode of MODES) {
        const { credential } = await signIn(there, mode, { ...who, password: NEW })
        t.ok(await signedIn(here, credential), mode)
      }
      t.equal((await here.signIns.list(id)).length, MODES.length)
    })

    t.test('enabling an account again brings nothing back', async (t) => {
      const { id, who } = await makeAccount(here)
      const { credential } = await signIn(there, 'session', who)
      await here.accounts.setDisabled(id, true)
      await here.accounts.setDisabled(id, false)
      await isRefused(t, center, credential, 'enabled again')
    })

    t.test('the sign-in that is spared lives on, in every mode, until the next change', async (t) => {
      for (const mode of MODES) {
        const { id, who } = await makeAccount(here)
        const own = await signIn(here, mode, who)
        const other = await signIn(there, mode, who)
        const [, record] = await here.signIns.list(id)
        const spare = (await currentId(here, own.credential)) ?? record?.id
        await here.accounts.changePassword(id, OLD, NEW, spare)
        t.ok(await signedIn(here, own.credential), mode)
        t.ok(await signedIn(there, own.credential), `${mode}, there`)
        await isRefused(t, center, other.credential, `${mode}: the other one`)
        t.match(await here.signIns.list(id), [{ id: spare }])
        if (mode === 'token') {
          const answer = await post(there, '/refresh_token', { refresh_token: own.refreshToken })
          t.equal(answer.statusCode, 200, 'its refresh token too')
          const headers = { authorization: `Bearer ${answer.json().data.token}` }
          t.ok(await signedIn(here, headers))
          await isRefreshRefused(t, there, other.refreshToken, 'not of the other one')
        }
        await here.accounts.setRole(id, 'admin')
        await isRefused(t, center, own.credential, `${mode}: after another change`)
      }
    })

    t.test('changes at once: the highest epoch counts, and all that began before is ended', async (t) => {
      const { id, who } = await makeAccount(here)
      const { credential } = await signIn(here, 'token', who)
      const changes = [here, there].flatMap((app) => [
        app.accounts.raiseEpoch(id),
        app.accounts.setRole(id, 'admin'),
      ])
      const epochs = (await Promise.all(changes)).map((account) => account?.epoch)
      t.strictSame(epochs.sort(), [2, 3, 4, 5])
      await isRefused(t, center, credential, 'after all')
      const after = await signIn(there, 'token', who)
      t.ok(await signedIn(here, after.credential))
    })
  })
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
    for (const credential of others) refused(t, await userInfo(app, credential), 403, 'SIGNED_OUT', operation)
    t.ok(await signedIn(app, own.credential), 'the spared one lives')
    t.ok(await signedIn(app, after.credential), 'and what began after')
  }
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
    refused(t, await userInfo(second.app, credential), 403, 'SIGNED_OUT', 'from the first request on')
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
  for (const { app } of both) refused(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
})
