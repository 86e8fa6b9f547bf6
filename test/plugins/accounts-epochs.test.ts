import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import type { Account } from '../../plugins/lib/contract.js'
import {
  type Credential,
  credentialCookies,
  MODES,
  post,
  refusedByCenter,
  signIn,
  userInfo,
} from '../helpers/http.js'
import { ownTime } from '../helpers/own-time.js'
import { startRedis } from '../helpers/redis-server.js'
import { makeGate } from '../helpers/session-app.js'
import { startUserCenter } from '../helpers/user-center.js'

/*
 * One write ends every sign-in of an account, in all three modes, on every instance; and a login that raced
 * it is refused, or dead on arrival.
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
  refusedByCenter(t, await userInfo(here, credential), 403, 'SIGNED_OUT', `${why}, here`)
  const deadline = ownTime() + 1000
  while ((await userInfo(there, credential)).statusCode === 200 && ownTime() < deadline);
  refusedByCenter(t, await userInfo(there, credential), 403, 'SIGNED_OUT', `${why}, there`)
}

async function isRefreshRefused(t: Test, app: FastifyInstance, refreshToken: string, why: string) {
  const answer = await post(app, '/refresh_token', { refresh_token: refreshToken })
  refusedByCenter(t, answer, 401, 'REFRESH_REFUSED', why)
}

/** Holds so many logins up after their passwords were verified, until the gate opens. */
function holdLogins(app: FastifyInstance, count: number) {
  const [verified, go] = [makeGate(), makeGate()]
  const source = app.accountSource
  let left = count
  app.accountSource = {
    find: source.find,
    async verify(username, password) {
      const account = await source.verify(username, password)
      left -= 1
      if (left === 0) {
        app.accountSource = source
        verified.open()
      }
      await go.opened
      return account
    },
  }
  return { verified: verified.opened, go: go.open }
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

      t.test(`a login that ${name} races is refused, or dead on arrival, in all three modes`, async (t) => {
        const { id, who } = await makeAccount(here)
        const gate = holdLogins(there, MODES.length)
        const logins = MODES.map(async (mode) => [mode, await post(there, `/login_${mode}`, who)] as const)
        await gate.verified
        await change(here, id)
        gate.go()
        for (const [mode, answer] of await Promise.all(logins)) {
          // Another instance may not have heard of the change yet: then what it hands out is dead already.
          if (here === there || answer.statusCode !== 200) {
            refusedByCenter(t, answer, 401, 'CREDENTIALS_REFUSED', mode)
            t.strictSame(credentialCookies(answer), [], mode)
            continue
          }
          for (const cookie of credentialCookies(answer)) {
            await isRefused(t, center, { cookie: `${cookie.name}=${cookie.value}` }, mode)
          }
          const { token, refresh_token } = answer.json().data ?? {}
          if (!token) continue
          await isRefused(t, center, { authorization: `Bearer ${token}` }, 'its access token')
          await isRefreshRefused(t, there, refresh_token, 'its refresh token')
        }
        t.strictSame(await here.signIns.list(id), [], 'no list shows them')
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
