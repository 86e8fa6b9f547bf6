import t from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { COOKIES, deviceApp, proofOf } from '../helpers/device-app.js'
import { challengesOf, offersOf } from '../helpers/device-client.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  refused,
  sessionMode,
} from '../helpers/suite.js'

const MODES = ['cookie', 'session'] as const
const MINUTE = 60

for (const mode of MODES) {
  for (const algorithm of ['ES256', 'RS256'] as const) {
    t.test(
      `${mode}: a browser binds its sign-in with ${algorithm}, and stays signed in for hours`,
      async (t) => {
        const { bound, clock, records, app, withCookies } = await deviceApp(t)
        const events: AuditEvent[] = []
        app.audit.subscribe((event) => void events.push(event))
        const client = await bound(mode, algorithm)
        t.strictSame(client.log, ['/device/register 200'])
        const [record] = await records()
        t.match(events.at(-1), { type: 'sign_in_bound', mode, signInId: record?.id, accountId: ALICE.id })
        t.match(record?.binding, /^d1\./)
        for (let minutes = 0; minutes <= 150; minutes += 10) {
          t.equal((await client.get('/me')).statusCode, 200, `after ${minutes} minutes`)
          clock.advance(10 * MINUTE)
        }
        t.equal((await records())[0]?.binding, record?.binding)
        t.notOk(events.some(({ type }) => type === 'proof_refused'))
        const renewed = client
          .cookies()
          .split('; ')
          .find((pair) => !pair.includes('_proof'))
        refused(
          t,
          await withCookies(renewed ?? ''),
          403,
          'DEVICE_PROOF_REQUIRED',
          'renewal keeps the binding',
        )
      },
    )
  }

  t.test(`${mode}: the registration's answer has all that a browser needs`, async (t) => {
    const { browser, signIn, clock } = await deviceApp(t, { device: { exclude: ['/static'] } })
    const client = browser()
    client.registers = false
    const login = await signIn(client, mode)
    const [offer, ...others] = offersOf(login)
    t.strictSame(others, [])
    if (!offer) return t.fail('nothing is offered')
    const answer = await client.register(offer)
    t.equal(answer.statusCode, 200)
    t.match(answer.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' })
    const { session_identifier, ...rest } = answer.json()
    t.strictSame(rest, {
      refresh_url: '/device/refresh',
      scope: { include_site: false, scope_specification: [{ type: 'exclude', path: '/static' }] },
      credentials: [
        { type: 'cookie', name: proofOf(mode), attributes: 'Path=/; Secure; HttpOnly; SameSite=Lax' },
      ],
      allowed_refresh_initiators: ['*'],
    })
    t.type(challengesOf(answer).get(session_identifier), 'string')
    const proof = answer.cookies.find(({ name }) => name === proofOf(mode))
    t.match(proof, { path: '/', secure: true, httpOnly: true, sameSite: 'Lax', maxAge: 1170 })
    t.equal(clock.now % 60_000, 0)
  })

  t.test(`${mode}: another instance asks after 75 seconds as well`, async (t) => {
    const { store, clock, browser, signIn } = await deviceApp(t)
    const other = await deviceApp(t, { store, clock })
    const client = browser()
    client.registers = false
    const [offer] = offersOf(await signIn(client, mode))
    const jar = client.cookies()
    t.equal((await other.withCookies(jar)).statusCode, 200)
    if (offer) t.equal((await client.register(offer)).statusCode, 200)
    clock.advance(74)
    t.equal((await other.withCookies(jar)).statusCode, 200)
    clock.advance(2)
    refused(t, await other.withCookies(jar), 403, 'DEVICE_PROOF_REQUIRED')
    t.equal((await other.withCookies(client.cookies())).statusCode, 200)
  })

  t.test(`${mode}: a copied cookie is good for 75 seconds, and then only with the proof`, async (t) => {
    const { bound, clock, withCookies, me } = await deviceApp(t)
    const client = await bound(mode)
    const jar = client.cookies()
    const cookie = jar.split('; ').find((pair) => !pair.includes('_proof')) ?? ''
    // The cookie mode issues its cookie anew as bound. The session's record tells, 75 seconds later.
    if (mode === 'session') t.equal((await withCookies(cookie)).statusCode, 200)
    else refused(t, await withCookies(cookie), 403, 'DEVICE_PROOF_REQUIRED')
    clock.advance(76)
    refused(t, await withCookies(cookie), 403, 'DEVICE_PROOF_REQUIRED')
    t.equal((await withCookies(jar)).statusCode, 200)
    refused(t, await withCookies(`${cookie}; ${proofOf(mode)}=x`), 403, 'DEVICE_PROOF_REQUIRED')
    refused(t, await me({ cookie, 'secure-session-skipped': 'quota_exceeded' }), 403, 'DEVICE_PROOF_REQUIRED')
    t.equal((await client.get('/me')).statusCode, 200)
  })
}

/** The pair of a jar's own cookie, without the proof. */
const longOf = (jar: string) => jar.split('; ').find((pair) => !pair.includes('_proof')) ?? ''

for (const mode of MODES) {
  t.test(`${mode}: a browser that cannot bind stays signed in as ever, and can never be bound`, async (t) => {
    const { browser, signIn, clock, records } = await deviceApp(t)
    const client = browser()
    client.registers = false
    const [offer] = offersOf(await signIn(client, mode))
    clock.advance(59)
    t.equal((await client.get('/me')).statusCode, 200)
    clock.advance(17)
    const answers = await Promise.all(Array.from({ length: 8 }, () => client.get('/me')))
    t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
    const [record] = await records()
    t.match(record?.binding, /\.none\./)
    if (offer) refused(t, await client.register(offer), 403, 'DEVICE_PROOF_REQUIRED')
    for (let minutes = 0; minutes <= 60; minutes += 10) {
      t.equal((await client.get('/me')).statusCode, 200, `after ${minutes} minutes`)
      clock.advance(10 * MINUTE)
    }
    t.equal((await records())[0]?.binding, record?.binding)
  })

  t.test(
    `${mode}: where binding is required, a browser that cannot bind is refused after 75 seconds`,
    async (t) => {
      const { browser, signIn, clock, bound, withCookies, records } = await deviceApp(t, {
        device: { mode: 'required' },
      })
      const [client, other] = [browser(), await bound(mode)]
      client.registers = false
      await signIn(client, mode)
      clock.advance(74)
      t.equal((await client.get('/me')).statusCode, 200)
      clock.advance(2)
      for (let again = 0; again < 2; again++)
        refused(t, await client.get('/me'), 403, 'DEVICE_PROOF_REQUIRED')
      t.equal((await other.get('/me')).statusCode, 200)
      client.registers = true
      await signIn(client, mode)
      t.equal((await records()).length, 2, 'the refused sign-in has ended')
      clock.advance(100)
      t.equal((await client.get('/me')).statusCode, 200, 'a login always works')
      refused(t, await withCookies(longOf(client.cookies())), 403, 'DEVICE_PROOF_REQUIRED')
    },
  )

  t.test(`${mode}: a sign-in from before is as good as ever, unless binding is required`, async (t) => {
    const { store, clock, ...before } = await deviceApp(t)
    const old = await buildSuite(t, {
      store,
      clock,
      modes: [sessionMode({ secure: true }), cookieMode({ secure: true })],
    })
    const cookie = cookieHeader(await old.signIn(mode)).cookie ?? ''
    clock.advance(80)
    t.equal((await before.withCookies(cookie)).statusCode, 200)
    const required = await deviceApp(t, { store, clock, device: { mode: 'required' } })
    refused(t, await required.withCookies(cookie), 403, 'DEVICE_PROOF_REQUIRED')
    // Switched off again, a bound sign-in is as good as any other.
    const client = await before.bound(mode)
    clock.advance(80)
    t.equal((await old.me({ cookie: longOf(client.cookies()) })).statusCode, 200)
  })

  t.test(
    `${mode}: an attacker who writes to the store unbinds nothing by removing the binding`,
    async (t) => {
      const { store, clock, browser, signIn, records } = await deviceApp(t)
      const client = browser()
      client.registers = false
      const [offer] = offersOf(await signIn(client, mode))
      const copied = client.cookies()
      if (offer) await client.register(offer)
      const [{ id = '' } = {}] = await records()
      const stored = await store.findSignIn(ALICE.id, id, clock.now)
      if (!stored) return t.fail('no record')
      for (const after of [0, 80]) {
        clock.advance(after)
        await store.addSignIn({ ...stored, binding: null })
        const fresh = await deviceApp(t, {
          ...{ store, clock },
          routes: (app) => app.get('/key', { onRequest: app.guard({ proof: 'now' }) }, async () => 'in'),
        })
        t.equal((await fresh.withCookies(copied, '/key')).statusCode, after === 0 ? 307 : 403)
      }
      const [{ binding } = {}] = await records()
      t.notOk(binding, 'it is not settled anew')
    },
  )

  t.test(`${mode}: login and logout take the proof with them`, async (t) => {
    const { bound, signIn, clock, records, withCookies } = await deviceApp(t)
    const client = await bound(mode)
    const jar = client.cookies()
    client.registers = false
    const login = await signIn(client, mode)
    t.match(
      login.cookies.find(({ name }) => name === proofOf(mode)),
      { value: '', maxAge: 0, secure: true },
    )
    t.equal((await records()).length, 1, 'the earlier sign-in has ended')
    refused(t, await withCookies(jar), 401, 'SIGNED_OUT')
    // The browser's old session notices that it is over.
    t.equal((await client.get('/me')).statusCode, 200)
    t.strictSame(client.log.slice(1), ['/device/refresh 401'])
    clock.advance(80)
    client.registers = true
    await signIn(client, mode)
    const logout = await client.post(`/sign_out/${mode}`)
    const cleared = logout.cookies.filter(({ maxAge }) => maxAge === 0).map(({ name }) => name)
    t.strictSame(cleared.sort(), [COOKIES[mode], proofOf(mode)].sort())
    t.strictSame(await records(), [])
  })

  t.test(`${mode}: a login without the proof ends the sign-in that it replaces`, async (t) => {
    const { bound, app, clock, records } = await deviceApp(t)
    const client = await bound(mode)
    clock.advance(80)
    const headers = { cookie: longOf(client.cookies()) }
    const payload = { account: ALICE, options: {} }
    const answer = await app.inject({ method: 'POST', url: `/sign_in/${mode}`, headers, payload })
    t.equal(answer.statusCode, 200)
    t.equal((await records()).length, 1)
    refused(t, await client.get('/me'), 401, 'SIGNED_OUT')
  })

  t.test(`${mode}: a sign-in that is ended elsewhere is over at the next refresh`, async (t) => {
    const { bound, app, clock, records } = await deviceApp(t)
    const client = await bound(mode)
    const [record] = await records()
    clock.advance(21 * MINUTE)
    await app.signIns.end({ accountId: ALICE.id, signInId: record?.id ?? '' })
    refused(t, await client.get('/me'), 401, 'SIGNED_OUT')
    t.equal(client.log.at(-1), '/device/refresh 401')
  })

  t.test(`${mode}: the proof is remembered beside its credential: no trip to the store`, async (t) => {
    const { store, calls } = faultyStore(createMemoryStore())
    const { bound, clock } = await deviceApp(t, { store })
    const client = await bound(mode)
    clock.advance(80)
    await client.get('/me')
    calls.length = 0
    for (let times = 0; times < 5; times++) t.equal((await client.get('/me')).statusCode, 200)
    t.strictSame([...new Set(calls)], ['isLive'])
  })

  t.test(`${mode}: when the store is away, a bound sign-in is kept`, async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const { bound, clock } = await deviceApp(t, { store })
    const client = await bound(mode)
    clock.advance(21 * MINUTE)
    for (const operation of ['isLive', 'findSignIn', 'readSession', 'settleBinding'] as const)
      failing.add(operation)
    refused(t, await client.get('/me'), 503, 'STORE_UNAVAILABLE')
    t.equal(client.log.at(-1), '/device/refresh 503')
    failing.clear()
    t.equal((await client.get('/me')).statusCode, 200)
  })
}

t.test('two modes side by side have proofs of their own', async (t) => {
  const { browser, signIn, clock, app } = await deviceApp(t, {
    routes: (app) => {
      for (const mode of MODES)
        app.get(`/me/${mode}`, { preHandler: app.guard({ modes: [mode] }) }, async ({ identity }) => identity)
    },
  })
  const client = browser()
  for (const mode of MODES) await signIn(client, mode)
  t.equal(client.bound.size, 2)
  for (let times = 0; times < 4; times++) {
    clock.advance(15 * MINUTE)
    for (const mode of MODES) t.equal((await client.get(`/me/${mode}`)).json().mode, mode)
  }
  const pairs = new Map(
    client
      .cookies()
      .split('; ')
      .map((pair) => pair.split('=', 2) as [string, string]),
  )
  const sent = (name: string) => pairs.get(name) ?? ''
  const own = `${COOKIES.cookie}=${sent(`${COOKIES.cookie}`)}`
  const headers = { cookie: `${own}; ${proofOf('cookie')}=${sent(proofOf('session'))}` }
  refused(t, await app.inject({ url: '/me/cookie', headers }), 403, 'DEVICE_PROOF_REQUIRED')
  await client.post('/sign_out/session')
  t.equal((await client.get('/me/cookie')).statusCode, 200)
})

t.test('both offers are in one header if one answer signs in by both modes', async (t) => {
  const { app } = await deviceApp(t, {
    routes: (app) => {
      app.post('/both', async (request) => {
        await request.signIn('cookie', ALICE)
        await request.signIn('cookie', ALICE)
        await request.signIn('session', ALICE)
        return null
      })
    },
  })
  const answer = await app.inject({ method: 'POST', url: '/both' })
  t.equal(offersOf(answer).length, 2)
  t.equal((await app.signIns.list(ALICE.id)).length, 2)
})

t.test('a refused bound cookie sends a person to the login page, and the login works', async (t) => {
  const { bound, clock, app } = await deviceApp(t, {
    routes: (app) => app.get('/page', { preHandler: app.guard({ loginPage: '/login' }) }, async () => 'page'),
  })
  const client = await bound('cookie')
  clock.advance(80)
  const headers = { cookie: longOf(client.cookies()), accept: 'text/html' }
  t.match(await app.inject({ url: '/page', headers }), {
    statusCode: 303,
    headers: { location: '/login?next=%2Fpage' },
  })
})
