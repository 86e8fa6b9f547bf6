import Fastify, { type FastifyInstance } from 'fastify'
import { test } from 'tap'
import accounts from '../../plugins/accounts.js'
import csrf from '../../plugins/csrf.js'
import identity from '../../plugins/identity.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import signIns from '../../plugins/sign-ins.js'
import stores from '../../plugins/stores.js'
import tokenAuth from '../../plugins/token-auth.js'
import { passwordRoutes } from '../../routes/password.js'
import {
  ADMIN,
  type Credential,
  MODES,
  post,
  refusedByCenter,
  type SignedIn,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { accountSource, SECRET } from '../helpers/suite.js'
import { startUserCenter } from '../helpers/user-center.js'

const NEW = 'a new password'

function change(app: FastifyInstance, headers: Credential, body: object = {}) {
  return post(app, '/password', { current_password: USER.password, new_password: NEW, ...body }, headers)
}

const renewed = { ...USER, password: NEW }

test('a new password ends every other sign-in, and spares the one that asked, in every mode', async (t) => {
  for (const mode of MODES) {
    const { app } = await startUserCenter(t)
    const bystander = await signIn(app, 'cookie', ADMIN)
    const others: SignedIn[] = []
    for (const each of MODES) others.push(await signIn(app, each))
    const own = await signIn(app, mode)
    const answer = await change(app, own.credential)
    t.match(answer.json(), { code: 200, auth_type: mode, msg: /password is changed/ })
    t.equal(answer.headers['cache-control'], 'no-store')
    t.notMatch(answer.body, NEW)
    for (const { credential, refreshToken } of others) {
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', mode)
      if (!refreshToken) continue
      const refresh = await post(app, '/refresh_token', { refresh_token: refreshToken })
      refusedByCenter(t, refresh, 401, 'REFRESH_REFUSED')
    }
    t.equal((await userInfo(app, own.credential)).statusCode, 200, `${mode}: the caller stays`)
    t.equal((await userInfo(app, bystander.credential)).statusCode, 200, 'so does everybody else')
    refusedByCenter(t, await post(app, '/login_token', USER), 401, 'CREDENTIALS_REFUSED', 'the old one')
    t.equal((await signIn(app, mode, renewed)).response.statusCode, 200, 'the new one')
  }
})

test('over Redis the caller stays on another instance too, with the refresh token', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const here = await startUserCenter(t, { REDIS_URL: redis.url })
  const env = { REDIS_URL: redis.url, DATA_DIR: here.dataDir }
  const there = await startUserCenter(t, env, here.clock)
  let password = USER.password
  for (const mode of MODES) {
    const own = await signIn(here.app, mode, { ...USER, password })
    const other = await signIn(there.app, mode, { ...USER, password })
    const next = `a password for ${mode}`
    const answer = await change(here.app, own.credential, { current_password: password, new_password: next })
    t.equal(answer.statusCode, 200)
    password = next
    refusedByCenter(t, await userInfo(here.app, other.credential), 403, 'SIGNED_OUT', mode)
    for (const { app } of [here, there]) {
      t.equal((await userInfo(app, own.credential)).json().auth_type, mode)
    }
    if (mode !== 'token') continue
    const refreshed = await post(there.app, '/refresh_token', { refresh_token: own.refreshToken })
    t.equal(refreshed.statusCode, 200)
    const headers = { authorization: `Bearer ${refreshed.json().data.token}` }
    t.equal((await userInfo(here.app, headers)).statusCode, 200)
  }
})

test('a password is good until it is changed, however old it is', async (t) => {
  const { app, clock } = await startUserCenter(t)
  clock.advance(10 * 366 * 86_400)
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    t.equal((await userInfo(app, credential)).statusCode, 200, mode)
  }
})

test('a wrong current password changes nothing and ends nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const own = await signIn(app, 'session')
  const other = await signIn(app, 'token')
  const answer = await change(app, own.credential, { current_password: 'user124' })
  refusedByCenter(t, answer, 401, 'CREDENTIALS_REFUSED')
  for (const { credential } of [own, other]) t.equal((await userInfo(app, credential)).statusCode, 200)
  t.equal((await signIn(app, 'cookie')).response.statusCode, 200)
})

test('a password that cannot be used is refused with the reason, before anything is looked up', async (t) => {
  const { app } = await startUserCenter(t, { PASSWORD_WORDS: 'acme' })
  const { credential } = await signIn(app, 'cookie')
  const cases = [
    ['', 'too_short'],
    ['1234567', 'too_short'],
    ['🔑🔑🔑🔑🔑🔑🔑', 'too_short'],
    ['x'.repeat(1025), 'too_long'],
    ['漢'.repeat(342), 'too_long'],
    ['Password1', 'common'],
    ['an ACME one', 'common'],
    ['not USER1 again', 'like_username'],
  ] as const
  for (const [new_password, reason] of cases) {
    const answer = await change(app, credential, { new_password, current_password: 'wrong' })
    refusedByCenter(t, answer, 422, 'PASSWORD_REFUSED', reason)
    t.equal(answer.json().reason, reason)
  }
  t.equal((await signIn(app, 'token')).response.statusCode, 200, 'the password is the old one')
  const longest = { new_password: '🔑'.repeat(8) }
  t.equal((await change(app, credential, longest)).statusCode, 200, 'characters count, not units')
})

test('the order of checks: body, who is asking, another site, then the password', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  const foreign = { ...credential, origin: 'https://evil.example' }
  const bodies: object[] = [
    {},
    { current_password: USER.password },
    { new_password: NEW },
    { current_password: '', new_password: NEW },
    { current_password: 'x'.repeat(1025), new_password: NEW },
    { current_password: USER.password, new_password: 'x'.repeat(4097) },
    { current_password: [USER.password], new_password: NEW },
    { current_password: USER.password, new_password: null },
    { current_password: USER.password, new_password: NEW, username: 'admin' },
  ]
  for (const body of bodies) {
    refusedByCenter(t, await post(app, '/password', body, foreign), 400, 'BODY_INVALID', JSON.stringify(body))
  }
  refusedByCenter(t, await change(app, {}), 403, 'NOT_SIGNED_IN')
  refusedByCenter(t, await change(app, foreign, { new_password: 'short' }), 403, 'CROSS_SITE')
  const form = { ...credential, 'content-type': 'text/plain' }
  const plain = await app.inject({ method: 'POST', url: '/password', headers: form, payload: '{}' })
  refusedByCenter(t, plain, 415, 'CONTENT_TYPE_UNSUPPORTED')
  const { credential: token } = await signIn(app, 'token')
  const byToken = await change(app, { ...token, origin: 'https://evil.example' })
  t.equal(byToken.statusCode, 200, 'a token is never sent unasked')
})

test('of two changes at once on one password, one is granted', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'token')
  const answers = await Promise.all(
    ['first password', 'second password'].map((new_password) => change(app, credential, { new_password })),
  )
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 401])
  t.equal((await userInfo(app, credential)).statusCode, 200)
})

test('a change that could not be distributed is 503, and claims nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  app.stateStore.raiseEpoch = () => Promise.reject(new StoreUnavailable())
  const answer = await change(app, credential)
  refusedByCenter(t, answer, 503, 'STORE_UNAVAILABLE')
  t.match(answer.headers['retry-after'], /^\d+$/)
})

test('a login that a new password has overtaken is refused as one with the wrong password', async (t) => {
  for (const mode of MODES) {
    const { app } = await startUserCenter(t)
    const own = await signIn(app, mode)
    const { verify } = app.accountSource
    // The old password is verified, and then the change is through before the sign-in begins.
    const overtaken: typeof verify = async (username, password) => {
      const account = await verify(username, password)
      app.accountSource.verify = verify
      t.equal((await change(app, own.credential)).statusCode, 200)
      return account
    }
    Object.defineProperty(app, 'accountSource', { value: { ...app.accountSource, verify: overtaken } })
    const answer = await post(app, `/login_${mode}`, USER)
    refusedByCenter(t, answer, 401, 'CREDENTIALS_REFUSED')
    t.equal(answer.headers['set-cookie'], undefined)
    const { data } = (await app.inject({ url: '/sign_ins', headers: own.credential })).json()
    t.match(data, [{ current: true }], 'only the one that changed it is listed')
    t.equal(data.length, 1)
  }
})

test('where the application brought its own accounts there is no such route', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(stores, { memory: true })
  await app.register(accounts, { source: accountSource })
  await app.register(csrf)
  await app.register(identity, { secrets: [SECRET] })
  await app.register(signIns)
  await app.register(tokenAuth)
  await app.register(passwordRoutes)
  t.equal((await post(app, '/password', {})).statusCode, 404)
})
