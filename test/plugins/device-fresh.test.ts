import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { type DeviceAppOptions, deviceApp, proofOf } from '../helpers/device-app.js'
import { challengesOf, type DeviceClient, offersOf, signedJwt } from '../helpers/device-client.js'
import { makeGate } from '../helpers/session-app.js'
import { ALICE, buildSuite, cookieMode, faultyStore, refused } from '../helpers/suite.js'

/** A route that gives something that lasts. It tells how often it ran, and whether its body was read. */
function keysApp(t: Parameters<typeof deviceApp>[0], options: DeviceAppOptions = {}) {
  const ran: unknown[] = []
  const routes: DeviceAppOptions['routes'] = (app) => {
    app.post('/keys', { onRequest: app.guard({ proof: 'now' }) }, async ({ body, query, identity }) => {
      ran.push({ body, query })
      return identity
    })
  }
  return deviceApp(t, { routes, ...options }).then((app) => ({ ...app, ran }))
}

const bare = (client: DeviceClient, url = '/keys?a=b') =>
  client.fetch({ method: 'POST', url, payload: { name: 'x' } })

for (const mode of ['cookie', 'session'] as const) {
  t.test(`${mode}: a sensitive action asks once for a fresh proof, and goes on by itself`, async (t) => {
    const { bound, clock, ran } = await keysApp(t)
    const client = await bound(mode)
    clock.advance(600)
    const asked = await bare(client)
    t.match(asked, {
      statusCode: 307,
      headers: { location: '?a=b&device_proof=asked', 'cache-control': 'no-store' },
    })
    t.match(asked.cookies, [{ name: proofOf(mode), value: '', maxAge: 0 }])
    t.match([...challengesOf(asked).values()], [/^f\./])
    t.strictSame(ran, [])
    const answer = await client.send({ method: 'POST', url: '/keys?a=b', payload: { name: 'x' } })
    t.equal(answer.statusCode, 200)
    t.same(ran, [{ body: { name: 'x' }, query: { a: 'b' } }], 'the mark is not in the query')
    clock.advance(59)
    t.equal((await bare(client)).statusCode, 200, 'good for a minute')
    clock.advance(2)
    t.equal((await bare(client)).statusCode, 307)
  })

  t.test(`${mode}: a copied proof gives nothing that lasts`, async (t) => {
    const { bound, clock, ran, app } = await keysApp(t)
    const client = await bound(mode)
    clock.advance(100)
    const cookie = client.cookies()
    const thief = (url: string) => app.inject({ method: 'POST', url, headers: { cookie }, payload: {} })
    t.equal((await thief('/keys')).statusCode, 307)
    refused(t, await thief('/keys?device_proof=asked'), 403, 'DEVICE_PROOF_REQUIRED')
    t.equal((await thief('/keys?device_proof=other')).statusCode, 307)
    t.equal((await thief('/keys?device_proof=asked&device_proof=asked')).statusCode, 307)
    refused(t, await thief('/keys'), 403, 'DEVICE_PROOF_REQUIRED', 'three times in ten minutes')
    t.strictSame(ran, [])
    clock.advance(601)
    t.equal((await bare(client)).statusCode, 307)
  })

  t.test(
    `${mode}: in its first minute a bound sign-in is asked too, if its cookie does not say so`,
    async (t) => {
      const { browser, signIn, app, ran } = await keysApp(t)
      const client = browser()
      client.registers = false
      const [offer] = offersOf(await signIn(client, mode))
      const cookie = client.cookies()
      const thief = () => app.inject({ method: 'POST', url: '/keys', headers: { cookie }, payload: {} })
      t.equal((await thief()).statusCode, 200, 'nothing is bound yet')
      if (offer) await client.register(offer)
      t.equal((await thief()).statusCode, 307)
      t.equal(ran.length, 1)
    },
  )

  t.test(
    `${mode}: a request that was let in within 75 seconds is asked too, if it takes longer`,
    async (t) => {
      const { browser, signIn, app, clock, ran } = await keysApp(t, {
        routes: (app) => {
          // As long as a client takes to send its body.
          const wait = async () => clock.advance(2)
          const onRequest = [app.guard(), wait, app.guard({ proof: 'now' })]
          app.post('/slow', { onRequest }, async ({ identity }) => ran.push(identity))
        },
      })
      const client = browser()
      client.registers = false
      const [offer] = offersOf(await signIn(client, mode))
      const cookie = client.cookies()
      if (offer) await client.register(offer)
      clock.advance(74)
      t.equal((await app.inject({ method: 'POST', url: '/slow', headers: { cookie } })).statusCode, 307)
      t.strictSame(ran, [])
    },
  )

  t.test(`${mode}: a sign-in that is not bound passes`, async (t) => {
    const { browser, signIn, clock, ran } = await keysApp(t)
    const client = browser()
    client.registers = false
    await signIn(client, mode)
    clock.advance(80)
    t.equal((await bare(client)).statusCode, 200)
    t.equal(
      (await client.fetch({ method: 'POST', url: '/keys?device_proof=asked', payload: {} })).statusCode,
      200,
    )
    t.same(ran[1], { body: {}, query: {} })
  })
}

t.test('the proof of the request itself counts, not one that another request has shown', async (t) => {
  const [first, between] = [makeGate(), makeGate()]
  const wait = async ({ headers }: FastifyRequest) => {
    if (headers['x-wait'] === undefined) return
    first.open()
    await between.opened
  }
  const { bound, clock, app } = await keysApp(t, {
    routes: (app) => {
      const onRequest = [app.guard(), wait, app.guard({ proof: 'now' })]
      app.post('/keys', { onRequest: app.guard({ proof: 'now' }) }, async () => 'in')
      app.get('/twice', { onRequest }, async () => 'in')
    },
  })
  const client = await bound('cookie')
  clock.advance(100)
  const old = app.inject({ url: '/twice', headers: { cookie: client.cookies(), 'x-wait': '1' } })
  const answered = old.then(({ statusCode }) => statusCode)
  await first.opened
  t.equal((await client.post('/keys')).statusCode, 200)
  // Now the fresh proof is remembered beside the credential, which both requests share.
  t.equal((await app.inject({ url: '/twice', headers: { cookie: client.cookies() } })).statusCode, 200)
  between.open()
  t.equal(await answered, 307)
})

t.test('a fresh proof is asked for before a body is parsed, and refused as well', async (t) => {
  const { bound, clock, app, ran } = await keysApp(t)
  const client = await bound('cookie')
  clock.advance(100)
  const headers = { cookie: client.cookies(), 'content-type': 'application/json' }
  const send = (url: string, payload: string) => app.inject({ method: 'POST', url, headers, payload })
  const tooLong = `{"name":"${'x'.repeat(2 * 1024 * 1024)}"}`
  t.equal((await send('/keys', '{"name":')).statusCode, 307)
  t.equal((await send('/keys', tooLong)).statusCode, 307)
  const marked = '/keys?device_proof=asked'
  for (const body of ['{"name":', tooLong]) refused(t, await send(marked, body), 403, 'DEVICE_PROOF_REQUIRED')
  t.strictSame(ran, [])
})

t.test('an answer to an older challenge is no fresh proof', async (t) => {
  const { bound, clock, app } = await keysApp(t)
  const client = await bound('cookie')
  const device = client.bound.get(proofOf('cookie'))
  if (!device) return t.fail('not bound')
  const refresh = (jti: string | undefined) => {
    const jwt = signedJwt(device.pair, {}, { jti })
    const headers = { 'sec-secure-session-id': device.id, 'secure-session-response': jwt }
    return client.fetch({ method: 'POST', url: '/device/refresh', headers })
  }
  const derived = device.challenge
  const asked = challengesOf(await bare(client)).get(device.id)
  await refresh(derived)
  t.equal((await bare(client)).statusCode, 307)
  await refresh(asked)
  t.equal((await bare(client)).statusCode, 200)
  // What the browser has signed may be sent again. It gains no time.
  clock.advance(50)
  await refresh(asked)
  t.equal((await bare(client)).statusCode, 200)
  clock.advance(11)
  const again = await refresh(asked)
  t.equal(again.statusCode, 200)
  t.equal((await app.inject({ url: '/me', headers: { cookie: client.cookies() } })).statusCode, 200)
  t.equal((await bare(client)).statusCode, 307)
})

t.test(
  'only a person whom the guard does not recognise goes to the login page, and returns unmarked',
  async (t) => {
    const { bound, clock, app } = await keysApp(t, {
      routes: (app) =>
        app.get('/page', { onRequest: app.guard({ proof: 'now', loginPage: '/login' }) }, async () => 'in'),
    })
    const client = await bound('cookie')
    clock.advance(100)
    const visit = (query: string) =>
      app.inject({ url: `/page${query}`, headers: { cookie: client.cookies(), accept: 'text/html' } })
    t.match(await visit('?a=b'), { statusCode: 307, headers: { location: '?a=b&device_proof=asked' } })
    refused(t, await visit('?a=b&device_proof=asked'), 403, 'DEVICE_PROOF_REQUIRED', 'a login would not help')
    // The browser could not renew the proof that the redirect has cleared.
    client.jar.delete(proofOf('cookie'))
    for (const [query = '', next] of [
      ['?a=b&device_proof=asked', '%2Fpage%3Fa%3Db'],
      ['?device_proof=asked', '%2Fpage'],
      ['?device_proof=asked&a=?', '%2Fpage%3Fa%3D%3F'],
      ['?device_proof=other', '%2Fpage%3Fdevice_proof%3Dother'],
    ])
      t.match(await visit(query), { statusCode: 303, headers: { location: `/login?next=${next}` } })
  },
)

t.test('a caller who is not allowed is not asked for a proof', async (t) => {
  const { bound, app, clock } = await keysApp(t, {
    routes: (app) =>
      app.get('/admin', { onRequest: app.guard({ role: 'king', proof: 'now' }) }, async () => 'in'),
  })
  const client = await bound('cookie')
  clock.advance(100)
  refused(t, await client.get('/admin'), 403, 'ROLE_REQUIRED')
  const cross = { cookie: client.cookies(), 'sec-fetch-site': 'cross-site' }
  refused(t, await app.inject({ method: 'POST', url: '/me', headers: cross }), 403, 'CROSS_SITE')
})

t.test('when the store is away, nobody passes unasked', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore())
  const { browser, signIn } = await keysApp(t, { store })
  const client = browser()
  client.registers = false
  await signIn(client, 'cookie')
  failing.add('findSignIn')
  refused(t, await bare(client), 503, 'STORE_UNAVAILABLE')
})

t.test('a guard that wants proofs needs device binding, and the right word', async (t) => {
  const boot = (proof: unknown) =>
    buildSuite(t, {
      modes: [cookieMode({ secure: true })],
      routes: (app) => app.get('/x', { onRequest: app.guard({ proof } as object) }, async () => ALICE),
    })
  await t.rejects(boot('now'), { code: 'OPTION_INVALID', message: /proof would do nothing/ })
  for (const proof of [undefined, true, 'later'])
    await t.rejects(boot(proof), { code: 'OPTION_INVALID', message: /proof wants "now"/ })
})
