import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { ModeName } from '../../plugins/lib/contract.js'
import { createKeyRing } from '../../plugins/lib/credentials/keys.js'
import { signValue, verifyValue } from '../../plugins/lib/credentials/signed-value.js'
import { sessionKeyOf } from '../../plugins/lib/session/cookie.js'
import sessionAuth, { type SessionAuthOptions } from '../../plugins/session-auth.js'
import {
  ALICE,
  BOB,
  cookieOf,
  OTHER_SECRET,
  SECRET,
  type SessionApp,
  START,
  STORES,
  sessionApp,
} from '../helpers/session-app.js'
import { refused } from '../helpers/suite.js'

/** What a use of a kept session asks a store that has no revision: for its sign-in, and for its newest id. */
const ASKED = ['isLive', 'isLive']

const IDLE = 7_200_000
const ABSOLUTE = 5 * IDLE

const idKeys = createKeyRing([SECRET, OTHER_SECRET]).purpose('session-id')
const textOf = (cookie: string) => cookie.slice(cookie.indexOf('=') + 1)
const idOf = (cookie: string) => verifyValue(idKeys, textOf(cookie)) ?? ''
const recordOf = ({ store, clock }: SessionApp, cookie: string) =>
  store.readSession(sessionKeyOf(idOf(cookie)), clock.now)

t.test('a sign-in sets a cookie that says nothing, and the identity says who', async (t) => {
  const s = await sessionApp(t)
  const claims = { phone: '1', deep: { list: [1] } }
  const response = await s.post('/login', undefined, { account: ALICE, claims })
  t.equal(response.statusCode, 200)
  t.match(response.cookies, [{ name: 'session', httpOnly: true, sameSite: 'Lax', path: '/' }])
  t.notOk(response.cookies[0]?.maxAge, 'it ends with the browser')
  t.notOk(response.cookies[0]?.secure)
  const cookie = cookieOf(response) ?? ''
  t.match(idOf(cookie), /^[\w-]{43}$/)
  const me = await s.me(cookie)
  t.equal(me.headers['cache-control'], 'no-store')
  t.equal(me.headers['set-cookie'], undefined)
  t.strictSame(me.json(), {
    accountId: 'a-1',
    username: 'alice',
    role: 'admin',
    mode: 'session',
    signInId: response.json().signInId,
    authTime: START,
    factors: [{ method: 'password', at: START }],
    claims,
  })
})

t.test('with secure, which is the default, the cookie is Secure and has the __Host- prefix', async (t) => {
  const s = await sessionApp(t, { session: { secure: undefined } })
  const response = await s.post('/login', undefined, { account: ALICE })
  t.match(response.cookies, [{ name: '__Host-session', secure: true, path: '/', httpOnly: true }])
  const out = await s.post('/logout', cookieOf(response))
  t.match(out.cookies, [{ name: '__Host-session', value: '', secure: true, path: '/', httpOnly: true }])
})

t.test('the identity is frozen, its claims included, whatever they are named', async (t) => {
  const seen: unknown[] = []
  const s = await sessionApp(t, {
    routes(app) {
      app.get('/frozen', { onRequest: app.guard() }, async ({ identity }) => {
        seen.push(identity, identity.claims, identity.claims.deep)
        return 'seen'
      })
      const claims = JSON.parse('{"deep":{"a":1},"__proto__":{"polluted":true}}')
      app.get('/odd-login', (request) => request.signIn('session', ALICE, { claims }))
    },
  })
  const cookie = cookieOf(await s.get('/odd-login')) ?? ''
  t.equal((await s.get('/frozen', cookie)).statusCode, 200)
  t.equal(seen.length, 3)
  for (const value of seen) t.ok(Object.isFrozen(value))
  t.equal(Reflect.get({}, 'polluted'), undefined)
})

t.test('claims that are no JSON object are refused, and nothing is stored', async (t) => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const lost = [new Map([['a', 1]]), new Set([1]), /a/, new Error('a'), Number.NaN, () => 1]
  const bad = [cycle, [1], 'text', { n: 1n }, ...lost, ...lost.map((value) => ({ team: [{ value }] }))]
  const s = await sessionApp(t, {
    routes: (app) =>
      app.post<{ Body: { index: number } }>('/bad', (request) =>
        request.signIn(
          'session',
          ALICE,
          JSON.parse('{}', () => ({ claims: bad[request.body.index] })),
        ),
      ),
  })
  for (const index of bad.keys()) {
    const response = await s.post('/bad', undefined, { index })
    refused(t, response, 500, 'CLAIM_INVALID')
    t.equal(response.headers['set-cookie'], undefined)
  }
  t.strictSame(await s.store.listSignIns('a-1', START), [])
})

t.test(
  'no cookie is no credential; a forged, altered, encoded or doubled one never reaches the store',
  async (t) => {
    const s = await sessionApp(t)
    const cookie = await s.login()
    const value = textOf(cookie)
    const foreign = createKeyRing(['a-secret-of-some-other-environment!!']).purpose('session-id')
    const wrongPurpose = createKeyRing([SECRET]).purpose('cookie')
    const bad = {
      empty: 'session=',
      junk: 'session=junk',
      'an unsigned id': `session=${idOf(cookie)}`,
      altered: `session=${value.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))}`,
      truncated: `session=${value.slice(0, -1)}`,
      encoded: `session=${value.replace('v1.', 'v1%2E')}`,
      'under a foreign key': `session=${signValue(foreign, idOf(cookie))}`,
      'of another purpose': `session=${signValue(wrongPurpose, idOf(cookie))}`,
      oversized: `session=${value}${'A'.repeat(5000)}`,
      doubled: `session=${value}; session=${value}`,
    }
    s.calls.length = 0
    refused(t, await s.me(), 401, 'NOT_SIGNED_IN')
    for (const [name, header] of Object.entries(bad)) {
      const response = await s.me(header)
      refused(t, response, 401, 'CREDENTIAL_INVALID', name)
      t.equal(response.headers['set-cookie'], undefined, `${name}: no cookie`)
    }
    t.strictSame(s.calls, [])
    t.equal((await s.me(cookie)).statusCode, 200, 'the good one is still good')
  },
)

t.test(
  'a genuine id without a record was signed out; one of an anonymous visitor is no credential',
  async (t) => {
    const s = await sessionApp(t)
    refused(t, await s.me(`session=${signValue(idKeys, 'A'.repeat(43))}`), 401, 'SIGNED_OUT')
    refused(t, await s.me(await s.write({ cart: ['pear'] })), 401, 'NOT_SIGNED_IN')
  },
)

t.test('resolving answers without a promise where the store does', async (t) => {
  const kinds: string[] = []
  const s = await sessionApp(t, {
    routes: (app) =>
      app.get('/kind', async (request) => {
        const resolution = app.authModes.get('session').resolve(request)
        kinds.push(resolution instanceof Promise ? 'promise' : resolution.kind)
      }),
  })
  const cookie = await s.login()
  for (const header of [cookie, undefined, 'session=junk']) await s.get('/kind', header)
  t.strictSame(kinds, ['identity', 'absent', 'refused'])
})

t.test(
  'a session is read once, and its identity kept; a request writes when it was seen last, once, and nothing else',
  async (t) => {
    const { store, login } = await sessionApp(t)
    const cookie = await login()
    const s = await sessionApp(t, { store })
    await s.me(cookie)
    t.strictSame(s.calls, ['readSession', 'isLive', 'touchSignIn'])
    s.calls.length = 0
    await s.me(cookie)
    t.strictSame(s.calls, ASKED)
    s.calls.length = 0
    const open = await s.get('/public', cookie)
    t.strictSame([open.body, open.headers['set-cookie']], ['public', undefined])
    t.strictSame(s.calls, [], 'a route that does not ask costs nothing')
  },
)

for (const [kind, makeStore] of Object.entries(STORES)) {
  t.test(`${kind}: idle and absolute limits hold to the millisecond`, async (t) => {
    const session = { idleTtl: IDLE / 1000, absoluteTtl: ABSOLUTE / 1000 }
    const s = await sessionApp(t, { store: await makeStore(t), session })
    const cookie = await s.login()
    s.clock.now = START + IDLE
    refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
    s.clock.now = START + IDLE - 1
    t.equal((await s.me(cookie)).statusCode, 200, 'the last millisecond of the idle time')
    await until(async () => (await recordOf(s, cookie))?.idleExpiresAt === START + 2 * IDLE - 1)
    for (s.clock.now += IDLE / 2; s.clock.now < START + ABSOLUTE - 1; s.clock.now += IDLE / 2) {
      const due = Math.min(s.clock.now + IDLE, START + ABSOLUTE)
      t.equal((await s.me(cookie)).statusCode, 200)
      await until(async () => (await recordOf(s, cookie))?.idleExpiresAt === due)
    }
    s.clock.now = START + ABSOLUTE - 1
    t.equal((await s.me(cookie)).statusCode, 200, 'the last millisecond of all')
    s.clock.now = START + ABSOLUTE
    refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
  })

  t.test(`${kind}: a new id at every sign-in, and the one before is dead`, async (t) => {
    const s = await sessionApp(t, { store: await makeStore(t) })
    const planted = await s.write({ cart: ['pear'] })
    const first = await s.login(ALICE, planted)
    const second = await s.login(ALICE, first)
    t.equal(new Set([planted, first, second]).size, 3)
    for (const dead of [planted, first]) {
      refused(t, await s.me(dead), 401, 'SIGNED_OUT')
      t.strictSame(await s.data(dead), {})
      t.equal(await recordOf(s, dead), null)
    }
    t.equal((await s.me(second)).statusCode, 200)
    t.equal((await s.store.listSignIns('a-1', START)).length, 1)
  })

  t.test(`${kind}: data goes along at sign-in, but never from one account to another`, async (t) => {
    const s = await sessionApp(t, { store: await makeStore(t) })
    const visitor = await s.write({ cart: ['pear'] })
    const alice = await s.login(ALICE, visitor)
    t.strictSame(await s.data(alice), { cart: ['pear'] }, "an anonymous visitor's")
    const again = await s.login(ALICE, await s.write({ note: 'mine' }, alice))
    t.strictSame(await s.data(again), { cart: ['pear'], note: 'mine' }, "the same account's")
    const bob = await s.login(BOB, again)
    t.strictSame(await s.data(bob), {}, "not another account's")
    t.equal((await s.me(bob)).json().username, 'bob')
    refused(t, await s.me(again), 401, 'SIGNED_OUT')
  })

  t.test(`${kind}: a logout ends sign-in and session, and clears the cookie`, async (t) => {
    const s = await sessionApp(t, { store: await makeStore(t) })
    const cookie = await s.login()
    const out = await s.post('/logout', cookie)
    t.strictSame([out.statusCode, out.json()], [200, { ended: true }])
    t.match(out.cookies, [{ name: 'session', value: '', path: '/', httpOnly: true, sameSite: 'Lax' }])
    refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
    t.equal(await recordOf(s, cookie), null)
    t.strictSame(await s.store.listSignIns('a-1', START), [])
    t.strictSame((await s.post('/logout', cookie)).statusCode, 200, 'twice is no error')
    t.strictSame((await s.post('/logout')).json(), { ended: false })
  })

  t.test(`${kind}: ended from elsewhere, a session is refused and its data is out of reach`, async (t) => {
    const s = await sessionApp(t, { store: await makeStore(t) })
    const ended = await s.login()
    await s.app.signIns.endAll('a-1')
    refused(t, await s.me(ended), 401, 'SIGNED_OUT')
    const old = await s.write({ cart: ['pear'] }, await s.login())
    await s.store.raiseEpoch('a-1', 1, null, START + ABSOLUTE)
    refused(t, await s.me(old), 401, 'SIGNED_OUT')
    t.strictSame(await s.data(old), {})
    const out = await s.post('/data', old, { more: 1 })
    t.not(cookieOf(out), undefined, 'a new anonymous session')
    t.strictSame(await s.data(cookieOf(out)), { more: 1 })
  })
}

/** Touches are not waited for by requests: this waits for what one leads to. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (await condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it never came')
}

t.test(
  'logging out an anonymous visitor drops the session; a forged cookie is cleared, and nothing is asked',
  async (t) => {
    const s = await sessionApp(t)
    const visitor = await s.write({ cart: ['pear'] })
    t.equal(cookieOf(await s.post('/logout', visitor)), '')
    t.equal(await recordOf(s, visitor), null)
    s.calls.length = 0
    const forged = await s.post('/logout', 'session=junk')
    t.strictSame([forged.json(), cookieOf(forged)], [{ ended: false }, ''])
    t.strictSame(s.calls, [])
  },
)

t.test(
  'a touch is a write only when a tenth of the idle time has passed, and moves the sign-in too',
  async (t) => {
    const s = await sessionApp(t)
    const cookie = await s.login()
    const touches = () => s.calls.filter((name) => name.startsWith('touch'))
    s.clock.now = START + IDLE / 10 - 1
    await s.me(cookie)
    t.strictSame(touches(), ['touchSignIn'], 'when it was seen last, and no limit')
    s.calls.length = 0
    s.clock.now += 1
    await Promise.all([s.me(cookie), s.me(cookie), s.me(cookie)])
    t.strictSame(touches(), ['touchSignIn', 'touchSession'])
    t.equal((await recordOf(s, cookie))?.idleExpiresAt, s.clock.now + IDLE)
    const [signIn] = await s.store.listSignIns('a-1', s.clock.now)
    t.match(signIn, { lastSeenAt: s.clock.now, idleExpiresAt: s.clock.now + IDLE })
  },
)

t.test('a touch that fails fails no request, and the next request tries again', async (t) => {
  const log: string[] = []
  const s = await sessionApp(t, { log })
  const cookie = await s.login()
  s.clock.now = START + IDLE / 2
  s.failing.add('touchSession')
  t.equal((await s.me(cookie)).statusCode, 200)
  t.match(log.join(), 'could not be touched')
  t.notMatch(log.join(), textOf(cookie), 'no credential is logged')
  s.failing.clear()
  await s.me(cookie)
  t.equal((await recordOf(s, cookie))?.idleExpiresAt, s.clock.now + IDLE)
})

t.test('a session whose sign-in has no record any more is not kept alive', async (t) => {
  const s = await sessionApp(t)
  const cookie = await s.login()
  const before = await recordOf(s, cookie)
  Object.assign(s.store, { touchSignIn: async () => false })
  s.clock.now = START + IDLE / 2
  t.equal((await s.me(cookie)).statusCode, 200)
  await s.app.close()
  t.notOk(s.calls.includes('touchSession'))
  t.strictSame(await recordOf(s, cookie), before)
})

t.test('a sign-in whose session cannot be made is 503, and is taken back', async (t) => {
  const s = await sessionApp(t)
  Object.assign(s.store, { createSession: async () => false })
  const response = await s.post('/login', undefined, { account: ALICE })
  refused(t, response, 503, 'STORE_UNAVAILABLE')
  t.equal(response.headers['set-cookie'], undefined)
  t.strictSame(await s.store.listSignIns('a-1', START), [])
})

t.test('signing in with the cookie of a sign-in that was cut off ends what is left of it', async (t) => {
  const s = await sessionApp(t)
  const old = await s.write({ cart: ['pear'] }, await s.login())
  await s.store.raiseEpoch('a-1', 1, null, START + ABSOLUTE)
  const cookie = await s.login({ ...ALICE, epoch: 1 }, old)
  t.equal(await recordOf(s, old), null)
  t.equal((await s.store.listSignIns('a-1', START)).length, 1)
  t.strictSame(await s.data(cookie), { cart: ['pear'] })
})

t.test('a remembered session has a Max-Age, its own idle limit, and slides with use', async (t) => {
  const session = { idleTtl: 100, rememberTtl: 1000, absoluteTtl: 5000 }
  const s = await sessionApp(t, { session })
  const login = await s.post('/login', undefined, { account: ALICE, remember: true })
  t.equal(login.cookies[0]?.maxAge, 1000)
  const cookie = cookieOf(login) ?? ''
  s.clock.now = START + 99_000
  t.equal((await s.me(cookie)).headers['set-cookie'], undefined, 'not yet due')
  s.clock.now = START + 999_000
  const used = await s.me(cookie)
  t.match(used.cookies, [{ name: 'session', value: textOf(cookie), maxAge: 1000, httpOnly: true }])
  for (const at of [1900, 2800, 3700]) {
    s.clock.now = START + at * 1000
    t.equal((await s.me(cookie)).cookies[0]?.maxAge, 1000)
  }
  s.clock.now = START + 4500_000
  t.equal((await s.me(cookie)).cookies[0]?.maxAge, 500, 'never beyond the absolute limit')
  s.clock.now = START + 5000_000
  refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
})

t.test('remembering outlasts an absolute limit that is shorter', async (t) => {
  const s = await sessionApp(t, { session: { idleTtl: 100, rememberTtl: 1000, absoluteTtl: 200 } })
  const cookie = await s.login(ALICE, undefined, { remember: true })
  s.clock.now = START + 999_999
  t.equal((await s.me(cookie)).statusCode, 200)
  s.clock.now = START + 1000_000
  refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
})

t.test('who can write the store keeps no sign-in alive beyond the absolute limit', async (t) => {
  const s = await sessionApp(t, { session: { idleTtl: 100, rememberTtl: 1000, absoluteTtl: 500 } })
  for (const [remember, ttl] of [
    [false, 500_000],
    [true, 1_000_000],
  ] as const) {
    s.clock.now = START
    const cookie = cookieOf(await s.post('/login', undefined, { account: ALICE, remember })) ?? ''
    const record = await recordOf(s, cookie)
    if (!record) throw new Error('no record')
    const limits = { idleExpiresAt: START + 10 * ttl, absoluteExpiresAt: START + 10 * ttl }
    await s.store.replaceSession(sessionKeyOf(idOf(cookie)), { ...record, version: 2, ...limits })
    s.clock.now = START + ttl - 1
    t.equal((await s.me(cookie)).statusCode, 200, 'to the last millisecond')
    s.clock.now = START + ttl
    refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
    t.strictSame(await s.data(cookie), {})
  }
})

t.test('an idle limit above the absolute one is cut off there', async (t) => {
  const s = await sessionApp(t, { session: { absoluteTtl: 60 } })
  t.equal((await recordOf(s, await s.login()))?.idleExpiresAt, START + 60_000)
})

t.test(
  'when any step of a sign-in fails it is 503, no cookie goes out, and the old session stays',
  async (t) => {
    for (const step of ['generation', 'addSignIn', 'createSession', 'endSignIn']) {
      const s = await sessionApp(t)
      const cookie = await s.write({ cart: ['pear'] }, await s.login())
      const before = (await s.me(cookie)).json()
      s.failing.add(step)
      const response = await s.post('/login', cookie, { account: ALICE })
      refused(t, response, 503, 'STORE_UNAVAILABLE', step)
      t.equal(response.headers['set-cookie'], undefined, `${step}: no cookie`)
      s.failing.clear()
      t.strictSame((await s.me(cookie)).json(), before, `${step}: the old sign-in`)
      t.strictSame(await s.data(cookie), { cart: ['pear'] }, `${step}: its data`)
    }
  },
)

t.test('a visitor whose sign-in fails keeps the cart, and no sign-in is left behind', async (t) => {
  const s = await sessionApp(t)
  const visitor = await s.write({ cart: ['pear'] })
  for (const step of ['createSession', 'destroySession']) {
    s.failing.add(step)
    const response = await s.post('/login', visitor, { account: ALICE })
    refused(t, response, 503, 'STORE_UNAVAILABLE', step)
    t.equal(response.headers['set-cookie'], undefined)
    s.failing.clear()
    t.strictSame(await s.data(visitor), { cart: ['pear'] })
    t.strictSame(await s.store.listSignIns('a-1', START), [])
  }
})

t.test('a logout that cannot be stored is 503, and clears nothing', async (t) => {
  const { store, login } = await sessionApp(t)
  const cookie = await login()
  // Its sign-in is not in this one's memory.
  const s = await sessionApp(t, { store })
  for (const step of ['readSession', 'endSignIn']) {
    s.failing.add(step)
    const response = await s.post('/logout', cookie)
    refused(t, response, 503, 'STORE_UNAVAILABLE', step)
    t.equal(response.headers['set-cookie'], undefined)
    s.failing.clear()
  }
  t.equal((await s.me(cookie)).statusCode, 200)
  s.failing.add('endSignIn')
  refused(t, await s.post('/logout', cookie), 503, 'STORE_UNAVAILABLE', 'from memory')
  s.failing.clear()
  t.equal((await s.me(cookie)).statusCode, 200)
})

t.test('a logout of a session in memory asks the store once, and does what any other does', async (t) => {
  const s = await sessionApp(t)
  const [cookie, other] = [await s.login(), await s.login()]
  const { signInId } = (await s.me(cookie)).json()
  s.calls.length = 0
  t.strictSame((await s.post('/logout', cookie)).json(), { ended: true })
  t.strictSame(s.calls, ['endSignIn'])
  t.equal(await recordOf(s, cookie), null)
  t.equal(await s.store.findSignIn(ALICE.id, signInId, START), null)
  refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
  t.equal((await s.me(other)).statusCode, 200)
})

t.test('a logout deletes a session whose sign-in is not on record any more', async (t) => {
  for (const known of [true, false]) {
    const first = await sessionApp(t)
    const cookie = await first.login()
    const s = known ? first : await sessionApp(t, { store: first.store })
    // As a store that is short of memory drops it.
    const { signInId } = (await first.me(cookie)).json()
    const record = await s.store.findSignIn(ALICE.id, signInId, START)
    const session = await recordOf(s, cookie)
    await s.store.endSignIn(ALICE.id, signInId, START)
    await s.store.sweep(START + 1)
    if (session) await s.store.createSession(record?.sessionKey ?? '', session)
    t.ok(await recordOf(s, cookie))
    t.strictSame((await s.post('/logout', cookie)).json(), { ended: true })
    t.equal(await recordOf(s, cookie), null)
    refused(t, await s.me(cookie), 401, 'SIGNED_OUT')
  }
})

t.test('a store that cannot answer makes protected routes 503; public ones never ask it', async (t) => {
  const { store, login } = await sessionApp(t)
  const cookie = await login()
  const s = await sessionApp(t, { store })
  for (const step of ['readSession', 'isLive']) {
    s.failing.add(step)
    refused(t, await s.me(cookie), 503, 'STORE_UNAVAILABLE', step)
    t.equal((await s.get('/public', cookie)).statusCode, 200)
    s.failing.clear()
  }
})

t.test(
  'a cross-site request that changes something is refused, whoever the session recognises',
  async (t) => {
    const s = await sessionApp(t, {
      routes: (app) => app.post('/change', { onRequest: app.guard() }, async () => 'changed'),
    })
    const cookie = await s.login()
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    refused(t, await s.post('/change', cookie, {}, foreign), 403, 'CROSS_SITE')
    refused(
      t,
      await s.post('/data', cookie, { cart: ['evil'] }, foreign),
      403,
      'CROSS_SITE',
      'request.session',
    )
    t.strictSame(await s.data(cookie), {})
  },
)

t.test('clearing the cookie of a caller whose sign-in was ended is not undone by renewing it', async (t) => {
  const s = await sessionApp(t, {
    session: { rememberTtl: 1000 },
    routes: (app) =>
      app.delete('/sign-ins', { onRequest: app.guard() }, async (request, reply) => {
        await app.signIns.endAll(request.identity.accountId)
        app.authModes.get(request.identity.mode satisfies ModeName).clear(request, reply)
      }),
  })
  const cookie = await s.login(ALICE, undefined, { remember: true })
  s.clock.now = START + 500_000
  const response = await s.app.inject({ method: 'DELETE', url: '/sign-ins', headers: { cookie } })
  t.strictSame(
    response.cookies.map(({ value }) => value),
    [''],
  )
})

t.test('AUTH_SECRETS rotate in three deploys, and a session that is used in between lives on', async (t) => {
  const [a, b] = [SECRET, OTHER_SECRET]
  for (const [kind, makeStore] of Object.entries(STORES)) {
    for (const route of ['/me', '/data']) {
      const name = `${kind}, read-only requests to ${route}`
      const store = await makeStore(t)
      let cookie = ''
      for (const [deploy, secrets] of [[a], [a, b], [b, a], [b]].entries()) {
        const s = await sessionApp(t, { store, secrets })
        if (deploy === 0) cookie = await s.write({ cart: ['pear'] }, await s.login())
        const response = await s.get(route, cookie)
        t.equal(response.statusCode, 200, `${name}, deploy ${deploy}`)
        const renewed = cookieOf(response)
        if (deploy === 2) t.match(renewed, /^session=v1/, `${name}: signed anew`)
        else t.equal(renewed, undefined, `${name}: no cookie in deploy ${deploy}`)
        if (renewed) t.equal(idOf(renewed), idOf(cookie), `${name}: the same session`)
        cookie = renewed ?? cookie
        t.strictSame(await s.data(cookie), { cart: ['pear'] })
        await s.app.close()
      }
    }
  }
})

t.test('a renewed cookie keeps what is left of a remembered session', async (t) => {
  const store = await (STORES.memory ?? (() => Promise.reject()))(t)
  const session = { rememberTtl: 1000, absoluteTtl: 1000 }
  const before = await sessionApp(t, { store, session, secrets: [SECRET] })
  const cookie = await before.login(ALICE, undefined, { remember: true })
  const after = await sessionApp(t, { store, session, secrets: [OTHER_SECRET, SECRET] })
  after.clock.now = START + 400_000
  t.equal((await after.me(cookie)).cookies[0]?.maxAge, 600)
})

t.test('a sealed record whose key is gone, or that was altered or moved, is as good as none', async (t) => {
  const s = await sessionApp(t)
  // Has read none of them yet.
  const elsewhere = await sessionApp(t, { store: s.store })
  const replace = async (cookie: string, sealed: string) => {
    const record = await recordOf(s, cookie)
    if (!record) throw new Error('no record')
    const next = { ...record, version: record.version + 1, sealed }
    t.equal(await s.store.replaceSession(sessionKeyOf(idOf(cookie)), next), 'replaced')
  }
  const sealedOf = async (cookie: string) => (await recordOf(s, cookie))?.sealed ?? ''
  const bob = await s.login(BOB)
  const moved = await s.login()
  await replace(moved, await sealedOf(bob))
  refused(t, await elsewhere.me(moved), 401, 'SIGNED_OUT', 'moved')
  const altered = await s.login()
  const sealed = await sealedOf(altered)
  const at = sealed.length - 20
  await replace(altered, `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`)
  refused(t, await elsewhere.me(altered), 401, 'SIGNED_OUT', 'altered')
  t.equal((await s.post('/logout', altered)).statusCode, 200)
  t.equal(await recordOf(s, altered), null, 'a logout drops even that')
  t.equal((await s.me(bob)).statusCode, 200)
})

t.test('what is stored holds no id, no name and no data that could be read', async (t) => {
  for (const [kind, makeStore] of Object.entries(STORES)) {
    const s = await sessionApp(t, { store: await makeStore(t) })
    const cookie = await s.write({ cart: ['pear'] }, await s.login())
    const stored = JSON.stringify(await recordOf(s, cookie))
    t.match(stored, /"sealed":"v1\./)
    for (const secret of ['alice', 'a-1', 'pear', 'cart', idOf(cookie)]) t.notMatch(stored, secret, kind)
    t.not(sessionKeyOf(idOf(cookie)), idOf(cookie))
  }
})

t.test('options are checked at boot', async (t) => {
  const bad: Record<string, SessionAuthOptions> = {
    name: { name: 'my session' },
    idleTtl: { idleTtl: 0 },
    absoluteTtl: { absoluteTtl: Number.NaN },
    rememberTtl: { rememberTtl: 1.5 },
    maxBytes: { maxBytes: 10 },
  }
  for (const [name, session] of Object.entries(bad)) {
    await t.rejects(sessionApp(t, { session }), { code: 'OPTION_INVALID', message: new RegExp(name) })
  }
  await t.rejects(sessionApp(t, { session: { maxBytes: 1024.5 } }), { code: 'OPTION_INVALID' })
  const s = await sessionApp(t, {
    before: async (app) => void (await app.register((await import('@fastify/cookie')).default)),
  })
  t.ok(await s.login(), "the application's own @fastify/cookie is used")
  t.ok(await s.write({ cart: ['pear'] }))
  t.type(sessionAuth, 'function')
})

t.test('another site’s form cannot plant a session, signed in or not', async (t) => {
  const s = await sessionApp(t)
  const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  const response = await s.post('/data', undefined, { preference: 'theirs' }, foreign)
  refused(t, response, 403, 'CROSS_SITE')
  t.equal(response.headers['set-cookie'], undefined)
  t.notOk(s.calls.includes('createSession'))
})

t.test('what one account’s session held never reaches another account, whatever became of it', async (t) => {
  const ways: [string, (request: FastifyRequest) => Promise<unknown>][] = [
    ['regenerated with its data', (request) => request.session.regenerate(['cart'])],
    ['saved after it was ended elsewhere', (request) => request.session.save()],
    ['reloaded after it was ended elsewhere', (request) => request.session.reload()],
    ['destroyed', (request) => request.session.destroy()],
  ]
  for (const [name, act] of ways) {
    const s = await sessionApp(t, {
      routes: (app) => {
        app.post('/switch', { onRequest: app.useSession }, async (request) => {
          if (name.includes('elsewhere')) await app.signIns.endAll(String(ALICE.id))
          await act(request)
          if (request.session) request.session.late = 'of alice'
          return request.signIn('session', BOB)
        })
      },
    })
    const cookie = await s.write({ cart: ['of alice'] }, await s.login())
    const response = await s.post('/switch', cookie)
    t.equal(response.statusCode, 200, name)
    t.equal((await s.me(cookieOf(response))).json().username, 'bob', name)
    t.strictSame(await s.data(cookieOf(response)), {}, name)
  }
})
