import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import {
  ADMIN,
  type Credential,
  MODES,
  post,
  refusedByCenter,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

function list(app: FastifyInstance, headers: Credential, query = '') {
  return app.inject({ url: `/accounts${query}`, headers })
}

function patch(app: FastifyInstance, headers: Credential, username: string, payload: object) {
  return app.inject({ method: 'PATCH', url: `/accounts/${encodeURIComponent(username)}`, headers, payload })
}

const PASSWORD = 'a long enough one'

async function addAccount(app: FastifyInstance, username: string, role: 'admin' | 'user' = 'user') {
  await app.accounts.create({ username, password: PASSWORD, role })
  return { username, password: PASSWORD }
}

test('administrators see all accounts, a page at a time, and never a hash', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const start = new Date(clock()).toISOString()
  clock.advance(5)
  await addAccount(app, 'Zoë')
  const { credential } = await signIn(app, 'token', ADMIN)
  const all = await list(app, credential)
  t.equal(all.headers['cache-control'], 'no-store')
  const created = { role: 'user', disabled: false, created_at: start, updated_at: start }
  const { code, data } = all.json()
  t.equal(code, 200)
  const [admin, user, zoe] = data.accounts
  t.strictSame(admin, { id: admin.id, username: 'admin', ...created, role: 'admin' })
  t.strictSame(user, { id: user.id, username: 'user1', ...created })
  t.match(zoe, { username: 'Zoë', created_at: new Date(clock()).toISOString() })
  t.equal(data.next, null)
  t.notMatch(all.body, /argon2|hash|epoch/)
  const names: string[] = []
  for (let query = '?limit=1'; query; ) {
    const { accounts, next } = (await list(app, credential, query)).json().data
    t.equal(accounts.length, 1)
    names.push(accounts[0].username)
    query = next === null ? '' : `?limit=1&after=${encodeURIComponent(next)}`
  }
  t.same(names, ['admin', 'user1', 'Zoë'])
})

test('a list may be of the names that begin in one way', async (t) => {
  const { app } = await startUserCenter(t)
  for (const name of ['Zoë', 'zoltan', '%', "' OR 1=1 --"]) await addAccount(app, name)
  const { credential } = await signIn(app, 'cookie', ADMIN)
  const find = async (username: string, more = '') => {
    const { accounts } = (
      await list(app, credential, `?username=${encodeURIComponent(username)}${more}`)
    ).json().data
    return accounts.map((account: { username: string }) => account.username)
  }
  t.same(await find('ZO'), ['zoltan', 'Zoë'])
  t.same(await find('ZO', '&after=zoltan'), ['Zoë'])
  t.same(await find('%'), ['%'])
  t.same(await find("' OR"), ["' OR 1=1 --"])
  for (const nobody of ["' OR 1=1 --x", '\0', 'admin\n', '__proto__', '_'])
    t.same(await find(nobody), [], nobody)
  t.equal((await find('')).length, 6)
})

test('a query of another form is refused', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'token', ADMIN)
  const queries = [
    'limit=0',
    'limit=101',
    'limit=-1',
    'limit=1e1',
    'limit=01',
    'limit=',
    'limit=1&limit=2',
    'limit=1;',
    'after=',
    'after=%00',
    'after=a%0a',
    `after=${'x'.repeat(257)}`,
    'after=a&after=b',
    'after[]=a',
    `username=${'x'.repeat(257)}`,
    'username=a&username=b',
    'role=admin',
    '__proto__=1',
  ]
  for (const query of queries)
    refusedByCenter(t, await list(app, credential, `?${query}`), 400, 'BODY_INVALID', query.slice(0, 40))
  for (const limit of [1, 9, 10, 99, 100])
    t.equal((await list(app, credential, `?limit=${limit}`)).statusCode, 200)
  t.equal(
    (await list(app, credential, '?after=ADMIN')).json().data.accounts.length,
    1,
    'any spelling will do',
  )
})

test('whoever is no administrator is refused, and changes nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const before = await app.accounts.list({ limit: 10 })
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    refusedByCenter(t, await list(app, credential), 403, 'ROLE_REQUIRED', mode)
    refusedByCenter(t, await patch(app, credential, 'user1', { role: 'admin' }), 403, 'ROLE_REQUIRED', mode)
    refusedByCenter(t, await patch(app, credential, 'nobody', { role: 'admin' }), 403, 'ROLE_REQUIRED', mode)
  }
  refusedByCenter(t, await list(app, {}), 403, 'NOT_SIGNED_IN')
  refusedByCenter(t, await patch(app, {}, 'user1', { role: 'admin' }), 403, 'NOT_SIGNED_IN')
  const foreign = { origin: 'https://evil.example' }
  for (const mode of ['cookie', 'session'] as const) {
    const { credential } = await signIn(app, mode, ADMIN)
    const answer = await patch(app, { ...credential, ...foreign }, 'user1', { role: 'admin' })
    refusedByCenter(t, answer, 403, 'CROSS_SITE', mode)
  }
  t.same(await app.accounts.list({ limit: 10 }), before)
  const { credential } = await signIn(app, 'token', ADMIN)
  const byToken = await patch(app, { ...credential, ...foreign }, 'user1', { role: 'user' })
  t.equal(byToken.statusCode, 200, 'a token is never sent unasked')
})

test('another role ends every sign-in of the account, in every mode, and of no other', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const admin = await signIn(app, 'session', ADMIN)
  const held = []
  for (const mode of MODES) held.push(await signIn(app, mode))
  clock.advance(5)
  const answer = await patch(app, admin.credential, 'USER1', { role: 'admin' })
  t.match(answer.json(), {
    code: 200,
    data: { username: 'user1', role: 'admin', disabled: false, updated_at: new Date(clock()).toISOString() },
  })
  t.notMatch(answer.body, /argon2|hash|epoch/)
  for (const { credential, refreshToken } of held) {
    refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
    if (!refreshToken) continue
    refusedByCenter(
      t,
      await post(app, '/refresh_token', { refresh_token: refreshToken }),
      401,
      'REFRESH_REFUSED',
    )
  }
  t.equal((await userInfo(app, admin.credential)).statusCode, 200)
  const { credential } = await signIn(app, 'cookie')
  t.equal((await list(app, credential)).statusCode, 200, 'signed in anew, it is an administrator')
})

test('a disabled account is signed out and cannot sign in; enabled, it can, and nothing comes back', async (t) => {
  const { app } = await startUserCenter(t)
  const admin = await signIn(app, 'token', ADMIN)
  const user = await signIn(app, 'cookie')
  t.match((await patch(app, admin.credential, 'user1', { disabled: true })).json(), {
    data: { disabled: true },
  })
  refusedByCenter(t, await userInfo(app, user.credential), 403, 'SIGNED_OUT')
  const disabled = await post(app, '/login_token', USER)
  const unknown = await post(app, '/login_token', { ...USER, username: 'nobody' })
  refusedByCenter(t, disabled, 401, 'CREDENTIALS_REFUSED')
  t.equal(disabled.body, unknown.body, 'as if there were no such account')
  const both = await patch(app, admin.credential, 'user1', { disabled: false, role: 'admin' })
  t.match(both.json(), { data: { disabled: false, role: 'admin' } })
  t.match(await app.accounts.findByUsername('user1'), { epoch: 3 }, 'both with one rise')
  refusedByCenter(t, await userInfo(app, user.credential), 403, 'SIGNED_OUT')
  t.equal((await userInfo(app, (await signIn(app, 'token')).credential)).statusCode, 200)
})

test('what is no change is refused, and so is an account that is not there', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'token', ADMIN)
  const before = await app.accounts.list({ limit: 10 })
  const bodies: object[] = [
    {},
    { role: 'root' },
    { role: 'Admin' },
    { role: null },
    { role: ['admin'] },
    { role: { $ne: 'user' } },
    { disabled: 'true' },
    { disabled: 1 },
    { disabled: null },
    { role: 'admin', username: 'other' },
    { role: 'admin', password: 'x' },
    { role: 'admin', epoch: 0 },
    [{ role: 'admin' }],
  ]
  for (const body of bodies)
    refusedByCenter(t, await patch(app, credential, 'user1', body), 400, 'BODY_INVALID', JSON.stringify(body))
  for (const name of ['nobody', "' OR '1'='1", '__proto__', 'constructor', 'user1 ', 'user1\0', '%', '😀'])
    refusedByCenter(t, await patch(app, credential, name, { role: 'admin' }), 404, 'NOT_FOUND', name)
  t.same(await app.accounts.list({ limit: 10 }), before)
})

test('the last administrator can neither demote nor disable himself; one of two can, and is signed out', async (t) => {
  const { app } = await startUserCenter(t)
  const own = await signIn(app, 'cookie', ADMIN)
  for (const change of [{ role: 'user' }, { disabled: true }, { role: 'user', disabled: true }])
    refusedByCenter(t, await patch(app, own.credential, 'admin', change), 409, 'LAST_ADMIN')
  t.equal((await userInfo(app, own.credential)).statusCode, 200, 'and stays signed in')
  await patch(app, own.credential, 'user1', { role: 'admin', disabled: true })
  refusedByCenter(
    t,
    await patch(app, own.credential, 'admin', { role: 'user' }),
    409,
    'LAST_ADMIN',
    'the other is disabled',
  )
  await patch(app, own.credential, 'user1', { disabled: false })
  const answer = await patch(app, own.credential, 'admin', { role: 'user' })
  t.match(answer.json(), { code: 200, data: { role: 'user' } })
  t.match(answer.cookies, [{ name: 'identity', value: '', maxAge: 0 }], 'the own cookie goes')
  refusedByCenter(t, await list(app, own.credential), 403, 'SIGNED_OUT')
})

test('of two administrators who demote each other at once one is left', async (t) => {
  const { app } = await startUserCenter(t)
  const first = await signIn(app, 'token', ADMIN)
  await patch(app, first.credential, 'user1', { role: 'admin' })
  const second = await signIn(app, 'token')
  const answers = await Promise.all([
    patch(app, first.credential, 'user1', { role: 'user' }),
    patch(app, second.credential, 'admin', { disabled: true }),
  ])
  const statuses = answers.map(({ statusCode }) => statusCode)
  t.equal(statuses.filter((status) => status === 200).length, 1, `${statuses}`)
  const { accounts } = await app.accounts.list({ limit: 10 })
  t.equal(accounts.filter(({ role, disabled }) => role === 'admin' && !disabled).length, 1)
})

test('a change that could not be distributed is 503; asked for again, it is answered when all know', async (t) => {
  const { app } = await startUserCenter(t)
  const admin = await signIn(app, 'token', ADMIN)
  const user = await signIn(app, 'session')
  const real = app.stateStore.raiseEpoch
  app.stateStore.raiseEpoch = () => Promise.reject(new StoreUnavailable())
  const answer = await patch(app, admin.credential, 'user1', { disabled: true })
  refusedByCenter(t, answer, 503, 'STORE_UNAVAILABLE')
  t.match(answer.headers['retry-after'], /^\d+$/)
  refusedByCenter(
    t,
    await patch(app, admin.credential, 'user1', { disabled: true }),
    503,
    'STORE_UNAVAILABLE',
    'nor is it now',
  )
  app.stateStore.raiseEpoch = real
  t.equal((await patch(app, admin.credential, 'user1', { disabled: true })).statusCode, 200)
  refusedByCenter(t, await userInfo(app, user.credential), 403, 'SIGNED_OUT')
})
