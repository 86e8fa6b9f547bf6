import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import suite, { type SuiteOptions } from '../../../../plugins/index.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import type { FaultyStore } from '../../../helpers/suite.js'
import { ALICE, accountSource, faultyStore, SECRET } from '../../../helpers/suite.js'

const register = (app: FastifyInstance, options: Partial<SuiteOptions> = {}) =>
  app.register(suite, { secrets: [SECRET], state: { memory: true }, accounts: accountSource, ...options })

async function start(t: Test, options: Partial<SuiteOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  await register(app, options)
  app.post('/login', async (request, reply) =>
    app.refreshCookie.set(request, reply, await request.signIn('token', ALICE)),
  )
  app.post('/login-and-logout', async (request, reply) => {
    await app.refreshCookie.set(request, reply, await request.signIn('token', ALICE))
    return { ended: await request.signOut('token') }
  })
  app.post('/refresh', async (request, reply) => {
    const pair = await app.refreshTokens.refresh(request, app.refreshCookie.read(request))
    return app.refreshCookie.set(request, reply, pair)
  })
  app.post('/logout', async (request) => ({ ended: await request.signOut('token') }))
  const post = (url: string, cookie = '') => app.inject({ method: 'POST', url, headers: { cookie } })
  return { app, post }
}

test('an application hands refresh tokens over in a cookie', async (t) => {
  const { post } = await start(t)
  const login = await post('/login')
  t.notOk('refreshToken' in login.json())
  t.match(login.cookies, [{ name: '__Host-refresh', secure: true, sameSite: 'Strict', httpOnly: true }])
  const cookie = `__Host-refresh=${login.cookies[0]?.value}`
  const refreshed = await post('/refresh', cookie)
  t.equal(refreshed.json().signInId, login.json().signInId)
  t.equal((await post('/refresh')).json().code, 'REFRESH_REFUSED')
  t.same((await post('/logout', cookie)).json(), { ended: true })
  t.same((await post('/logout', '__Host-refresh=x')).json(), { ended: false })
  t.equal(
    (await post('/refresh', `__Host-refresh=${refreshed.cookies[0]?.value}`)).json().code,
    'REFRESH_REFUSED',
  )
})

test('a sign-out in the request of the sign-in takes the cookie back', async (t) => {
  const { post } = await start(t)
  const both = await post('/login-and-logout')
  t.same(both.json(), { ended: true })
  t.equal(both.headers['set-cookie'], undefined)
})

test('a logout that could not be stored does not clear the cookie', async (t) => {
  const { store, failing }: FaultyStore = faultyStore(createMemoryStore())
  const { post } = await start(t, { state: { store } })
  const login = await post('/login')
  const cookie = `__Host-refresh=${login.cookies[0]?.value}`
  failing.add('endSignIn')
  const out = await post('/logout', cookie)
  t.equal(out.json().code, 'STORE_UNAVAILABLE')
  t.equal(out.headers['set-cookie'], undefined)
  failing.clear()
  t.same((await post('/logout', cookie)).json(), { ended: true })
})

test('the cookie has a name of its own, which no other cookie may have', async (t) => {
  const { post } = await start(t, { token: { refreshCookieName: 'r' }, secure: false })
  t.match((await post('/login')).cookies, [{ name: 'r' }])
  const equal: Partial<SuiteOptions>[] = [
    { token: { refreshCookieName: 'session' } },
    { cookie: { name: 'refresh' } },
    { session: { name: 'refresh' } },
  ]
  for (const options of equal)
    await t.rejects(start(t, options), { code: 'OPTION_INVALID', message: /must differ/ })
  await t.rejects(start(t, { token: { refreshCookieName: '__Host-r' } }), { code: 'OPTION_INVALID' })
})
