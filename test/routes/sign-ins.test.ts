import { test } from 'tap'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import {
  ADMIN,
  type Credential,
  listen,
  MODES,
  refusedByCenter,
  sendRaw,
  signIn,
  userInfo,
} from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

test('GET /sign_ins lists every place, whatever the mode, and nothing that works as a credential', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const all = []
  for (const mode of MODES) {
    all.push(await signIn(app, mode, undefined, { 'user-agent': `agent ${mode}` }))
    clock.advance(1)
  }
  await signIn(app, 'cookie', ADMIN)
  const [token, session, cookie] = all
  const response = await app.inject({ url: '/sign_ins', headers: session?.credential })
  const { code, data } = response.json()
  t.equal(code, 200)
  t.match(data, [
    { auth_type: 'cookie', current: false, factors: ['password'] },
    { auth_type: 'session', current: true, user_agent: 'agent session', ip: '127.0.0.1' },
    { auth_type: 'token', current: false },
  ])
  const fields = [
    'id',
    'auth_type',
    'created_at',
    'last_seen_at',
    'expires_at',
    'ip',
    'user_agent',
    'bound',
    'factors',
    'current',
  ]
  for (const entry of data) {
    t.same(Object.keys(entry), fields)
    for (const field of ['created_at', 'last_seen_at', 'expires_at']) {
      t.equal(new Date(entry[field]).toISOString(), entry[field], `${field} is ISO 8601 in UTC`)
    }
    const asCredential = {
      cookie: `identity=${entry.id}; session=${entry.id}`,
      authorization: `Bearer ${entry.id}`,
    }
    refusedByCenter(t, await userInfo(app, asCredential), 403, 'TOKEN_INVALID')
  }
  for (const secret of [token?.refreshToken, cookie?.credential.cookie, session?.credential.cookie]) {
    t.notMatch(response.body, String(secret).split('=').at(-1))
  }
})

test('DELETE /sign_ins/:id ends one, and is 404 for one that is not yours', async (t) => {
  const { app } = await startUserCenter(t)
  const mine = await signIn(app, 'cookie')
  const here = await signIn(app, 'session')
  const theirs = await signIn(app, 'token', ADMIN)
  const list = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/sign_ins', headers })).json().data
  const end = (id: string, headers: Record<string, string>) =>
    app.inject({ method: 'DELETE', url: `/sign_ins/${id}`, headers })

  const [foreign] = await list(theirs.credential)
  refusedByCenter(t, await end(foreign.id, here.credential), 404, 'NOT_FOUND')
  refusedByCenter(t, await end('unknown', here.credential), 404, 'NOT_FOUND')
  t.equal((await userInfo(app, theirs.credential)).statusCode, 200, 'theirs is untouched')

  const other = (await list(here.credential)).find((entry: { current: boolean }) => !entry.current)
  const ended = await end(other.id, here.credential)
  t.match(ended.json(), { code: 200, data: { ended: 1 } })
  t.equal(ended.headers['set-cookie'], undefined)
  refusedByCenter(t, await userInfo(app, mine.credential), 403, 'SIGNED_OUT')
  refusedByCenter(t, await end(other.id, here.credential), 404, 'NOT_FOUND', 'twice')

  const [own] = await list(here.credential)
  t.match((await end(own.id, here.credential)).cookies, [{ name: 'session', value: '', maxAge: 0 }])
  refusedByCenter(t, await userInfo(app, here.credential), 403, 'SIGNED_OUT')
})

test('DELETE /sign_ins ends all of them, or all others', async (t) => {
  const { app } = await startUserCenter(t)
  const bystander = await signIn(app, 'cookie', ADMIN)
  for (const mode of MODES) {
    const others = await Promise.all(MODES.map((each) => signIn(app, each)))
    const here = await signIn(app, mode)
    const end = (query: string) =>
      app.inject({ method: 'DELETE', url: `/sign_ins${query}`, headers: here.credential })
    refusedByCenter(t, await end('?except=other'), 400, 'BODY_INVALID')
    t.match((await end('?except=current')).json(), { code: 200, data: { ended: 3 } })
    for (const { credential } of others)
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', mode)
    t.equal((await userInfo(app, here.credential)).statusCode, 200, `${mode}: this one is spared`)
    const all = await end('')
    t.match(all.json(), { code: 200, data: { ended: 1 } })
    t.equal(all.cookies.length, mode === 'token' ? 0 : 1, `${mode}: its own cookie is cleared`)
    refusedByCenter(t, await userInfo(app, here.credential), 403, 'SIGNED_OUT', mode)
  }
  t.equal((await userInfo(app, bystander.credential)).statusCode, 200, 'another account is untouched')
})

test('DELETE /accounts/:username/sign_ins is for admins', async (t) => {
  const { app } = await startUserCenter(t)
  const admin = await signIn(app, 'token', ADMIN)
  const user = await Promise.all(MODES.map((mode) => signIn(app, mode)))
  const end = (name: string, headers: Record<string, string> = {}) =>
    app.inject({ method: 'DELETE', url: `/accounts/${name}/sign_ins`, headers })
  refusedByCenter(t, await end('user1'), 403, 'NOT_SIGNED_IN')
  refusedByCenter(t, await end('admin', user[0]?.credential), 403, 'ROLE_REQUIRED')
  refusedByCenter(t, await end('nobody', admin.credential), 404, 'NOT_FOUND')
  t.match((await end('USER1', admin.credential)).json(), { code: 200, data: { ended: 3 } })
  for (const { credential } of user) refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
  t.equal((await userInfo(app, admin.credential)).statusCode, 200)
})

test('an admin’s sign-out everywhere goes by the epoch: a login under way is ended with it', async (t) => {
  const { app } = await startUserCenter(t)
  const admin = await signIn(app, 'token', ADMIN)
  const user = await signIn(app, 'cookie')
  const end = (name: string) =>
    app.inject({ method: 'DELETE', url: `/accounts/${name}/sign_ins`, headers: admin.credential })
  const before = await app.accounts.findByUsername('user1')
  // As a route has it between the check of a password and the sign-in.
  const verified = await app.accountSource.verify('user1', 'user123')
  t.match((await end('user1')).json(), { code: 200, data: { ended: 1 } })
  refusedByCenter(t, await userInfo(app, user.credential), 403, 'SIGNED_OUT')
  t.equal((await app.accounts.findByUsername('user1'))?.epoch, (before?.epoch ?? 0) + 1)
  t.equal(verified?.epoch, before?.epoch)
  t.match((await end('user1')).json(), { data: { ended: 0 } }, 'nothing left')
  const own = await signIn(app, 'cookie', ADMIN)
  const url = '/accounts/admin/sign_ins'
  const answer = await app.inject({ method: 'DELETE', url, headers: own.credential })
  t.match(answer.json(), { data: { ended: 2 } })
  t.match(answer.cookies, [{ name: 'identity', value: '', maxAge: 0 }], 'their own cookie goes')
  refusedByCenter(t, await userInfo(app, own.credential), 403, 'SIGNED_OUT')
})

test('an admin’s sign-out that cannot be distributed claims nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const admin = await signIn(app, 'session', ADMIN)
  const user = await signIn(app, 'session')
  const real = app.stateStore.raiseEpoch
  app.stateStore.raiseEpoch = () => Promise.reject(new StoreUnavailable())
  const url = '/accounts/user1/sign_ins'
  const response = await app.inject({ method: 'DELETE', url, headers: admin.credential })
  refusedByCenter(t, response, 503, 'STORE_UNAVAILABLE')
  t.ok(response.headers['retry-after'])
  app.stateStore.raiseEpoch = real
  const again = await app.inject({ method: 'DELETE', url, headers: admin.credential })
  t.equal(again.statusCode, 200)
  refusedByCenter(t, await userInfo(app, user.credential), 403, 'SIGNED_OUT')
})

test('a DELETE that names a type and has no body is none of a wrong form', async (t) => {
  const { app } = await startUserCenter(t)
  const port = await listen(app)
  const admin = await signIn(app, 'token', ADMIN)
  const remove = async (path: string, { authorization = '' }: Credential, framing: string, body = '') => {
    const head = `DELETE ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n`
    const type = 'Content-Type: application/json; charset=utf-8\r\nConnection: close\r\n'
    return sendRaw(port, `${head}${type}${framing}\r\n${body}`)
  }
  for (const framing of ['', 'Content-Length: 0\r\n']) {
    const paths = ['/sign_ins', '/sign_ins?except=current', '/accounts/user1/sign_ins']
    for (const path of paths) {
      const { credential } = await signIn(app, 'token')
      const who = path.startsWith('/accounts') ? admin.credential : credential
      t.match(await remove(path, who, framing), /^HTTP\/1\.1 200 /, `${path} ${framing}`)
    }
  }
  const { credential } = await signIn(app, 'token')
  t.match(
    await remove('/sign_ins', credential, 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    /^HTTP\/1\.1 200 /,
  )
  const other = await signIn(app, 'token')
  const broken = await remove('/sign_ins', other.credential, 'Content-Length: 2\r\n', '{"')
  t.match(broken, /^HTTP\/1\.1 400 [\s\S]*BODY_INVALID/, 'what is there is read')
  t.equal((await userInfo(app, other.credential)).statusCode, 200, 'and nothing was ended')
})

test('every route here asks who it is, and refuses another site’s request by cookie', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  for (const [method, url] of [
    ['GET', '/sign_ins'],
    ['DELETE', '/sign_ins'],
    ['DELETE', '/sign_ins/x'],
  ] as const) {
    refusedByCenter(t, await app.inject({ method, url }), 403, 'NOT_SIGNED_IN', `${method} ${url}`)
  }
  const foreign = { ...credential, origin: 'https://evil.example' }
  refusedByCenter(
    t,
    await app.inject({ method: 'DELETE', url: '/sign_ins', headers: foreign }),
    403,
    'CROSS_SITE',
  )
  const { credential: token } = await signIn(app, 'token')
  const byToken = { ...foreign, ...token }
  const response = await app.inject({ method: 'DELETE', url: '/sign_ins?except=current', headers: byToken })
  t.equal(response.statusCode, 200, 'a token is never sent unasked')
})

test('GET /sign_ins is paged, newest first, and a page goes on where an ended sign-in stood', async (t) => {
  const { app, clock } = await startUserCenter(t, { SIGN_IN_CAP: '200' })
  const made: string[] = []
  let headers = {}
  for (let count = 0; count < 7; count++) {
    const { credential } = await signIn(app, 'cookie')
    if (count === 0) headers = credential
    // Some of one instant, which are told apart by their ids.
    if (count % 3 === 0) clock.advance(1)
  }
  const ask = (query: string) => app.inject({ url: `/sign_ins${query}`, headers })
  const whole = (await ask('')).json()
  t.equal(whole.data.length, 7)
  t.equal(whole.next, null)
  const ids = (data: { id: string }[]) => data.map(({ id }) => id)
  let next: string | null = ''
  for (let pages = 0; next !== null && pages < 10; pages++) {
    const page: { data: { id: string }[]; next: string | null } = (
      await ask(`?limit=2${next && `&after=${next}`}`)
    ).json()
    made.push(...ids(page.data))
    next = page.next
  }
  t.same(made, ids(whole.data))

  const first = (await ask('?limit=3')).json()
  const [, , last] = first.data
  t.equal((await app.inject({ method: 'DELETE', url: `/sign_ins/${last.id}`, headers })).statusCode, 200)
  t.same(ids((await ask(`?limit=3&after=${first.next}`)).json().data), made.slice(3, 6))

  for (const query of ['?limit=0', '?limit=101', '?limit=1e1', '?after=', '?after=x', '?other=1'])
    refusedByCenter(t, await ask(query), 400, 'BODY_INVALID', query)
})
