import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { deviceApp, proofOf } from '../helpers/device-app.js'
import { refused } from '../helpers/suite.js'

const MINUTE = 60

/** Routes with `request.session`, which no guard protects. */
async function cartApp(t: Test) {
  const routes = (app: FastifyInstance) => {
    const used = { onRequest: app.useSession }
    app.get('/cart', used, async ({ session }) => session.cart ?? [])
    app.post<{ Body: { item: string } }>('/cart', used, async ({ session, body }) => {
      session.cart = [...(session.cart ?? []), body.item]
      return session.cart
    })
    app.post('/regenerate', used, async ({ session }) => {
      await session.regenerate()
      return 'done'
    })
    app.post('/destroy', used, async ({ session }) => {
      await session.destroy()
      return 'done'
    })
  }
  const app = await deviceApp(t, { routes })
  const client = await app.bound('session')
  t.same((await client.post('/cart', { item: 'tea' })).json(), ['tea'])
  app.clock.advance(80)
  return { ...app, client }
}

const longOf = (jar: string) => jar.split('; ').find((pair) => pair.startsWith('__Host-session=')) ?? ''

t.test('a bound session’s data is there with the proof, for hours', async (t) => {
  const { client, clock } = await cartApp(t)
  for (let times = 0; times < 5; times++) {
    t.same((await client.get('/cart')).json(), ['tea'])
    clock.advance(30 * MINUTE)
  }
})

t.test('a copied session cookie reads and changes no data', async (t) => {
  const { client, app, withCookies, me } = await cartApp(t)
  const cookie = longOf(client.cookies())
  t.same((await withCookies(cookie, '/cart')).json(), [], 'as without a session')
  const written = await app.inject({
    method: 'POST',
    url: '/cart',
    headers: { cookie },
    payload: { item: 'x' },
  })
  t.same(written.json(), ['x'])
  for (const url of ['/regenerate', '/destroy'])
    await app.inject({ method: 'POST', url, headers: { cookie } })
  t.same((await client.get('/cart')).json(), ['tea'])
  t.equal((await me({ cookie: client.cookies() })).statusCode, 200)
})

t.test('a browser that cannot prove it just now keeps its session', async (t) => {
  const { client, app } = await cartApp(t)
  const cookie = longOf(client.cookies())
  const headers = { cookie, 'secure-session-skipped': 'server_error;session_identifier="x"' }
  for (const method of ['GET', 'POST'] as const) {
    const answer = await app.inject({
      method,
      url: '/cart',
      headers,
      ...(method === 'POST' ? { payload: { item: 'x' } } : {}),
    })
    refused(t, answer, 403, 'DEVICE_PROOF_REQUIRED')
    t.strictSame(answer.cookies, [])
  }
  t.same((await client.get('/cart')).json(), ['tea'])
})

t.test('a request without the proof does not keep the session alive', async (t) => {
  const { client, clock, withCookies } = await cartApp(t)
  const cookie = longOf(client.cookies())
  for (let times = 0; times < 13; times++) {
    clock.advance(10 * MINUTE)
    const { statusCode } = await withCookies(cookie)
    t.ok(statusCode === 403 || statusCode === 401)
  }
  refused(t, await withCookies(cookie), 401, 'SIGNED_OUT', 'two hours without use')
})

for (const url of ['/regenerate', '/destroy']) {
  t.test(`${url} ends the bound sign-in, and no later request has a caller`, async (t) => {
    const { client, records, clock } = await cartApp(t)
    const jar = client.cookies()
    await client.post(url)
    t.strictSame(await records(), [])
    clock.advance(21 * MINUTE)
    const answer = await client.get('/me')
    t.equal(answer.statusCode, 401)
    t.ok(jar.includes(proofOf('session')))
    t.match(client.log.at(-1), '/device/refresh 401')
    t.equal((await client.post('/cart', { item: 'milk' })).statusCode, 200)
  })
}
