import type { FastifyReply, FastifyRequest, LightMyRequestResponse } from 'fastify'
import { type Test, test } from 'tap'
import type { CookieAuthOptions } from '../../../../plugins/cookie-auth.js'
import type { StateStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { signIn as enterCenter, post, userInfo } from '../../../helpers/http.js'
import { makeGate, STORES } from '../../../helpers/session-app.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  type Headers,
  NEXT_SECRET,
  refused,
  SECRET,
  START,
  type SuiteOptions,
  sessionMode,
  TestClock,
  tokenMode,
} from '../../../helpers/suite.js'
import { startUserCenter } from '../../../helpers/user-center.js'

const COOKIE: CookieAuthOptions = { ttl: 100, rememberTtl: 400, absoluteTtl: 1000 }

async function cookieApp(t: Test, options: Partial<SuiteOptions> = {}, cookie: CookieAuthOptions = {}) {
  const clock = options.clock ?? new TestClock()
  const modes = [cookieMode({ ...COOKIE, ...cookie })]
  const suite = await buildSuite(t, { modes, ...options, clock })
  const record = async () => (await suite.app.signIns.list(ALICE.id))[0]
  return { ...suite, record }
}

/** With a request to `/slow` that has `started` when its handler runs, and is answered when it may `go`. */
async function slowApp(t: Test, options: Partial<SuiteOptions> = {}) {
  const [started, go] = [makeGate(), makeGate()]
  const suite = await cookieApp(t, {
    ...options,
    routes(app) {
      app.get('/slow', { preHandler: app.guard() }, async () => {
        started.open()
        await go.opened
        return 'done'
      })
    },
  })
  return { ...suite, started, go }
}

function payloadOf({ cookie = '' }: Headers) {
  return JSON.parse(Buffer.from(cookie.split('.')[2] ?? '', 'base64url').toString())
}

function attributesOf(answer: LightMyRequestResponse): string[] {
  const header = String(answer.headers['set-cookie'])
  return header.split(';').slice(1)
}

const seconds = (ms: number) => Math.floor(ms / 1000)

test('past half its life the cookie is set again, as it was, with a new life', async (t) => {
  const { signIn, me, clock } = await cookieApp(t)
  for (const [remember, ttl] of [
    [false, 100],
    [true, 400],
  ] as const) {
    clock.now = START
    const first = await signIn('cookie', { remember, claims: { plan: 'pro' } })
    const headers = cookieHeader(first)
    clock.now = START + (ttl / 2) * 1000 - 1
    t.equal((await me(headers)).headers['set-cookie'], undefined, 'not before')
    clock.now += 1
    const answer = await me(headers)
    t.equal(answer.statusCode, 200)
    t.equal(answer.cookies.length, 1)
    t.strictSame(attributesOf(answer), attributesOf(first), 'name, attributes and Max-Age as at first')
    const renewed = cookieHeader(answer)
    const iat = seconds(clock.now)
    t.strictSame(
      payloadOf(renewed),
      { ...payloadOf(headers), iat, exp: iat + ttl },
      'and nothing else is new',
    )
    clock.now = START + ttl * 1000
    refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED', 'the one before ends when it said')
    t.strictSame((await me(renewed)).json(), (await me(renewed)).json())
    t.match((await me(renewed)).json(), { authTime: START, claims: { plan: 'pro' } })
  }
})

test('secure cookies keep their prefix and attributes', async (t) => {
  const { signIn, me, clock } = await cookieApp(t, {}, { secure: true })
  const first = await signIn('cookie')
  clock.advance(50)
  const answer = await me(cookieHeader(first))
  t.equal(answer.cookies[0]?.name, '__Host-identity')
  t.strictSame(attributesOf(answer), attributesOf(first))
})

/** A renewal that has been stored, and is answered when it may `go`. */
async function renewalUnderWay(t: Test) {
  const [stored, go] = [makeGate(), makeGate()]
  let holds = false
  const store = new Proxy(createMemoryStore(), {
    get(target, name: keyof StateStore) {
      const operation = target[name]
      if (typeof operation !== 'function') return operation
      if (name !== 'findSignIn') return operation.bind(target)
      return async (...args: Parameters<StateStore['findSignIn']>) => {
        const record = await target.findSignIn(...args)
        if (holds) stored.open()
        if (holds) await go.opened
        return record
      }
    },
  })
  const suite = await cookieApp(t, { store })
  const headers = cookieHeader(await suite.signIn('cookie'))
  suite.clock.advance(50)
  holds = true
  const late = suite.me(headers).then((answer) => answer)
  await stored.opened
  holds = false
  return { ...suite, headers, late, go }
}

test('a sign-out while the renewal is being stored is not overwritten by it', async (t) => {
  const { signOut, headers, late, go } = await renewalUnderWay(t)
  t.equal((await signOut('cookie', headers)).statusCode, 200)
  go.open()
  t.equal((await late).statusCode, 200, 'it was admitted before')
  t.equal((await late).headers['set-cookie'], undefined)
})

test('a cookie that is over before its answer is not set: Max-Age=0 would drop what is there by then', async (t) => {
  const { clock, late, go } = await renewalUnderWay(t)
  clock.advance(100)
  go.open()
  t.equal((await late).headers['set-cookie'], undefined)
})

for (const [name, open] of Object.entries(STORES)) {
  test(`over ${name}: the record’s limit moves along, and is never before the cookie’s`, async (t) => {
    const { signIn, me, clock, record, app } = await cookieApp(t, { store: await open(t) })
    let headers = cookieHeader(await signIn('cookie'))
    // Between whole seconds, where a cookie’s times are rounded.
    clock.now += 777
    for (let i = 0; i < 5; i++) {
      clock.advance(60)
      const answer = await me(headers)
      t.equal(answer.statusCode, 200)
      headers = cookieHeader(answer)
      const { exp } = payloadOf(headers)
      t.equal((await record())?.idleExpiresAt, clock.now + 100_000)
      t.ok(exp * 1000 <= ((await record())?.idleExpiresAt ?? 0))
    }
    t.equal(await app.signIns.endAll(ALICE.id), 1, 'so whoever ends all ends this one')
    refused(t, await me(headers), 401, 'SIGNED_OUT')
  })

  test(`over ${name}: constant use never moves it beyond the absolute limit`, async (t) => {
    const { store, calls } = faultyStore(await open(t))
    const { signIn, me, clock } = await cookieApp(t, { store })
    let headers = cookieHeader(await signIn('cookie', { remember: true }))
    for (; clock.now < START + 999_000; clock.advance(30)) {
      const answer = await me(headers)
      t.equal(answer.statusCode, 200, `after ${(clock.now - START) / 1000} s`)
      if (answer.cookies.length > 0) headers = cookieHeader(answer)
      t.ok(payloadOf(headers).exp <= seconds(START) + 1000)
    }
    t.equal(payloadOf(headers).exp, seconds(START) + 1000)
    calls.length = 0
    t.equal((await me(headers)).headers['set-cookie'], undefined)
    t.notOk(calls.includes('findSignIn'), 'there is nothing left to ask for')
    clock.now = START + 1_000_000
    refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED')
  })

  test(`over ${name}: a sign-in that is ended while the request runs is not renewed`, async (t) => {
    const { signIn, app, clock, me, started, go } = await slowApp(t, { store: await open(t) })
    const headers = cookieHeader(await signIn('cookie'))
    clock.advance(60)
    const slow = app.inject({ url: '/slow', headers })
    await started.opened
    await app.signIns.endAll(ALICE.id)
    go.open()
    const answer = await slow
    t.equal(answer.statusCode, 200)
    t.equal(answer.headers['set-cookie'], undefined)
    refused(t, await me(headers), 401, 'SIGNED_OUT')
    t.strictSame(await app.signIns.list(ALICE.id), [])
  })
}

test('it is sealed under the key that signs now, so that the old secret can go', async (t) => {
  const store = createMemoryStore()
  const clock = new TestClock()
  const deploy = (...secrets: string[]) => cookieApp(t, { store, clock, identity: { secrets } })
  const [before, during, after] = [
    await deploy(SECRET),
    await deploy(NEXT_SECRET, SECRET),
    await deploy(NEXT_SECRET),
  ]
  const headers = cookieHeader(await before.signIn('cookie'))
  clock.advance(50)
  refused(t, await after.me(headers), 401, 'CREDENTIAL_INVALID')
  const renewed = cookieHeader(await during.me(headers))
  t.equal((await after.me(renewed)).statusCode, 200)
  refused(t, await before.me(renewed), 401, 'CREDENTIAL_INVALID', 'the old key alone does not know it')
})

test('many requests at once renew it once, and get the same', async (t) => {
  const { store, calls } = faultyStore(createMemoryStore(), { promises: true })
  const { signIn, me, clock } = await cookieApp(t, { store })
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(50)
  calls.length = 0
  const answers = await Promise.all(Array.from({ length: 6 }, () => me(headers)))
  t.equal(new Set(answers.map(({ headers }) => headers['set-cookie'])).size, 1)
  for (const answer of answers) t.equal(answer.cookies.length, 1)
  t.equal(calls.filter((call) => call === 'findSignIn').length, 1)
  t.equal(calls.filter((call) => call === 'touchSignIn').length, 1)
})

test('a client that goes on sending the old cookie is renewed in the store once a minute', async (t) => {
  const { store, calls } = faultyStore(createMemoryStore())
  const { signIn, me, clock } = await cookieApp(t, { store }, { ttl: 1000, absoluteTtl: 10_000 })
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(500)
  await me(headers)
  calls.length = 0
  const exp = seconds(clock.now) + 1000
  for (let second = 1; second < 60; second++) {
    clock.advance(1)
    const answer = await me(headers)
    t.equal(answer.statusCode, 200)
    t.equal(payloadOf(cookieHeader(answer)).exp, exp, 'the same, for an answer may have been lost')
    t.equal(answer.cookies[0]?.maxAge, 1000 - second)
  }
  t.notOk(calls.includes('touchSignIn') || calls.includes('findSignIn'))
  clock.advance(1)
  const answer = await me(headers)
  t.equal(payloadOf(cookieHeader(answer)).exp, seconds(clock.now) + 1000)
  t.equal(calls.filter((call) => call === 'findSignIn').length, 1)
  clock.advance(500)
  t.equal(
    (await me(cookieHeader(answer))).cookies[0]?.maxAge,
    1000,
    'who takes it is renewed in half its life',
  )
})

test('what was renewed a moment ago is not given out again once the sign-in was ended', async (t) => {
  const { signIn, app, clock, me, started, go } = await slowApp(t)
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(50)
  t.equal((await me(headers)).cookies.length, 1)
  const slow = app.inject({ url: '/slow', headers })
  await started.opened
  await app.signIns.endAll(ALICE.id)
  go.open()
  t.equal((await slow).headers['set-cookie'], undefined)
})

test('a cookie whose record was lost asks for it once a minute', async (t) => {
  const store: StateStore = createMemoryStore()
  const { signIn, me, clock } = await cookieApp(t, { store }, { ttl: 1000, absoluteTtl: 10_000 })
  const headers = cookieHeader(await signIn('cookie'))
  const limits: number[] = []
  store.touchSignIn = async (_accountId, _id, _lastSeenAt, idleExpiresAt) => {
    limits.push(idleExpiresAt)
    return false
  }
  clock.advance(500)
  await me(headers)
  const asked = () => limits.filter((limit) => limit > 0).length
  for (let second = 0; second < 59; second++) {
    clock.advance(1)
    t.equal((await me(headers)).headers['set-cookie'], undefined)
  }
  t.equal(asked(), 1)
  clock.advance(1)
  await me(headers)
  t.equal(asked(), 2)
})

test('where cookies live for less than two minutes, the next renewal is not held back', async (t) => {
  const { signIn, me, clock } = await cookieApp(t, {}, { ttl: 40 })
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(20)
  const renewed = await me(headers)
  clock.advance(19)
  t.equal(payloadOf(cookieHeader(await me(headers))).exp, payloadOf(cookieHeader(renewed)).exp)
  clock.advance(1)
  t.equal((await me(cookieHeader(renewed))).cookies[0]?.maxAge, 40)
})

test('only who is admitted by the cookie has it renewed', async (t) => {
  const clock = new TestClock()
  const { app, signIn, post, me, record } = await cookieApp(t, {
    clock,
    modes: [tokenMode(), sessionMode(), cookieMode(COOKIE)],
    routes(app) {
      app.get('/users', { preHandler: app.guard({ role: 'user' }) }, async () => 'for users')
      app.get('/public', async () => 'public')
      app.get('/peek', async (request) => (await app.authModes.get('cookie').resolve(request)).kind)
      app.get('/home', { preHandler: app.guard({ optional: true }) }, async () => 'home')
    },
  })
  const headers = cookieHeader(await signIn('cookie'))
  const before = await record()
  const { token } = (await signIn('token', { account: BOB })).json().issued
  const session = cookieHeader(await signIn('session', { account: BOB }))
  clock.advance(50)
  refused(t, await app.inject({ url: '/users', headers }), 403, 'ROLE_REQUIRED')
  refused(t, await post('/me', { ...headers, origin: 'https://evil.example' }), 403, 'CROSS_SITE')
  const others = [
    await app.inject({ url: '/users', headers }),
    await post('/me', { ...headers, origin: 'https://evil.example' }),
    await app.inject({ url: '/public', headers }),
    await app.inject({ url: '/peek', headers }),
    await me({ ...headers, authorization: `Bearer ${token}` }),
    await me({ cookie: `${session.cookie}; ${headers.cookie}` }),
  ]
  for (const [index, answer] of others.entries()) {
    t.notOk(String(answer.headers['set-cookie'] ?? '').includes('identity='), `answer ${index}`)
  }
  t.strictSame(await record(), before, 'and the record is as it was')
  t.equal(
    (await app.inject({ url: '/home', headers })).cookies.length,
    1,
    'also where nobody need be signed in',
  )
})

test('an answer that clears or replaces the cookie does not renew it', async (t) => {
  const { app, signIn, signOut, clock, post, record } = await cookieApp(t, {
    routes(app) {
      const preHandler = app.guard()
      app.post('/leave', { preHandler }, (request) => request.signOut('cookie'))
      app.post('/again', { preHandler }, (request) => request.signIn('cookie', ALICE))
      app.post('/forget', { preHandler }, async (request: FastifyRequest, reply: FastifyReply) => {
        app.authModes.get('cookie').clear(request, reply)
        return 'forgotten'
      })
    },
  })
  const enter = async () => {
    const headers = cookieHeader(await signIn('cookie'))
    clock.advance(60)
    return headers
  }
  for (const answer of [
    await signOut('cookie', await enter()),
    await post('/leave', await enter()),
    await post('/forget', await enter()),
  ]) {
    t.equal(answer.statusCode, 200)
    t.match(answer.cookies, [{ name: 'identity', value: '' }])
    t.equal(answer.cookies.length, 1)
  }
  await app.signIns.endAll(ALICE.id)
  for (const again of [
    (headers: Headers) => post('/again', headers),
    (headers: Headers) => signIn('cookie', { headers }),
  ]) {
    const answer = await again(await enter())
    t.equal(answer.cookies.length, 1)
    t.equal(payloadOf(cookieHeader(answer)).sid, (await record())?.id, 'the new sign-in’s')
  }
})

test('a store that cannot renew it fails no request, and the next request tries again', async (t) => {
  for (const operation of ['touchSignIn', 'findSignIn'] as const) {
    const lines: string[] = []
    const { store, failing } = faultyStore(createMemoryStore())
    const logger = { stream: { write: (line: string) => void lines.push(line) } }
    const { signIn, me, clock } = await cookieApp(t, { store, server: { logger } })
    const headers = cookieHeader(await signIn('cookie'))
    clock.advance(50)
    failing.add(operation)
    const answer = await me(headers)
    t.equal(answer.statusCode, 200, operation)
    t.equal(answer.headers['set-cookie'], undefined)
    t.match(lines.join(), 'could not be renewed')
    t.notMatch(lines.join(), headers.cookie?.split('=')[1], 'no credential is logged')
    failing.clear()
    t.equal((await me(headers)).cookies.length, 1)
  }
})

test('a record that goes between the two steps is not brought back', async (t) => {
  const store: StateStore = createMemoryStore()
  const { signIn, me, clock } = await cookieApp(t, { store })
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(50)
  store.findSignIn = async () => null
  const answer = await me(headers)
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['set-cookie'], undefined)
})

test('with other limits than it began under, the narrower ones hold', async (t) => {
  const store = createMemoryStore()
  const clock = new TestClock()
  const { signIn } = await cookieApp(t, { store, clock }, { absoluteTtl: 150 })
  const headers = cookieHeader(await signIn('cookie'))
  const wider = await cookieApp(t, { store, clock }, { absoluteTtl: 1000 })
  const narrower = await cookieApp(t, { store, clock }, { absoluteTtl: 120 })
  clock.advance(60)
  const [far, near] = [await wider.me(headers), await narrower.me(headers)]
  t.equal(payloadOf(cookieHeader(far)).exp, seconds(START) + 150, 'its record’s')
  t.equal(payloadOf(cookieHeader(near)).exp, seconds(START) + 120, 'the settings’')
  t.equal(near.cookies[0]?.maxAge, 60)
  clock.advance(60)
  t.equal((await wider.me(cookieHeader(far))).headers['set-cookie'], undefined, 'nothing to gain')
})

test('under a shorter absolute limit a cookie from before ends with it, and no sign-out is forgotten', async (t) => {
  const store = createMemoryStore()
  const clock = new TestClock()
  const before = await cookieApp(t, { store, clock })
  const headers = cookieHeader(await before.signIn('cookie', { remember: true }))
  const other = cookieHeader(await before.signIn('cookie', { account: BOB, remember: true }))
  const limits = { ttl: 60, rememberTtl: 60, absoluteTtl: 60 }
  // As the user center has it: an end is remembered for as long as a sign-in may live.
  const after = await cookieApp(t, { store, clock, signIns: { longestTtl: 60 } }, limits)
  t.equal((await after.me(headers)).statusCode, 200)
  await after.signOut('cookie', headers)
  refused(t, await after.me(headers), 401, 'SIGNED_OUT')
  clock.now = START + 60_000 - 1
  t.equal((await after.me(other)).statusCode, 200)
  clock.now = START + 60_000
  await store.sweep(clock.now)
  for (const old of [headers, other]) refused(t, await after.me(old), 401, 'CREDENTIAL_EXPIRED')
})

test('in the user center: expires_at is the cookie’s, and whoever ends the own sign-in has it cleared', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const { credential } = await enterCenter(app, 'cookie')
  clock.advance(1800)
  const answer = await app.inject({ url: '/sign_ins', headers: credential })
  const renewed = cookieHeader(answer)
  const { data } = (await app.inject({ url: '/sign_ins', headers: renewed })).json()
  t.equal(data[0].expires_at, new Date(payloadOf(renewed).exp * 1000).toISOString())
  clock.advance(1800)
  const ended = await app.inject({ method: 'DELETE', url: '/sign_ins', headers: renewed })
  t.match(ended.cookies, [{ name: 'identity', value: '', maxAge: 0 }])
  t.equal(ended.cookies.length, 1)
  t.equal((await userInfo(app, renewed)).json().error, 'SIGNED_OUT')
  const again = await enterCenter(app, 'cookie')
  clock.advance(1800)
  const out = await post(app, '/logout_cookie', {}, again.credential)
  t.match(out.cookies, [{ name: 'identity', value: '', maxAge: 0 }])
  t.equal(out.cookies.length, 1)
})
