import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { signValue, verifyValue } from '../../../../plugins/lib/credentials/signed-value.js'
import { sessionKeyOf } from '../../../../plugins/lib/session/cookie.js'
import {
  ALICE,
  BOB,
  cookieOf,
  type Gate,
  makeGate,
  SECRET,
  type SessionApp,
  START,
  STORES,
  sessionApp,
} from '../../../helpers/session-app.js'
import { refused } from '../../../helpers/suite.js'

const idKeys = createKeyRing([SECRET]).purpose('session-id')
const idOf = (cookie: string) => verifyValue(idKeys, cookie.slice(cookie.indexOf('=') + 1)) ?? ''
const recordOf = ({ store, clock }: SessionApp, cookie: string) =>
  store.readSession(sessionKeyOf(idOf(cookie)), clock.now)

/** Routes that use the session, each `GET /<its name>`. */
function using(handlers: Record<string, RouteHandlerMethod>) {
  return (app: FastifyInstance) => {
    for (const [name, handler] of Object.entries(handlers)) {
      app.get(`/${name}`, { onRequest: app.useSession }, handler)
    }
  }
}

t.test('on a route that does not ask for it, request.session throws', async (t) => {
  const s = await sessionApp(t, {
    routes: (app) => app.get('/forgot', async (request) => request.session.cart),
  })
  s.calls.length = 0
  refused(t, await s.get('/forgot', await s.login()), 500, 'SESSION_NOT_LOADED')
})

t.test('a visitor who only reads leaves nothing in the store and gets no cookie', async (t) => {
  const s = await sessionApp(t)
  const response = await s.get('/data')
  t.strictSame(response.json(), {})
  t.equal(response.headers['set-cookie'], undefined)
  t.equal(response.headers['cache-control'], 'no-store')
  t.strictSame(s.calls, [])
})

t.test('the first thing that is put there makes a session, and its cookie', async (t) => {
  const s = await sessionApp(t)
  const response = await s.post('/data', undefined, { cart: ['pear'] })
  t.match(response.cookies, [{ name: 'session', httpOnly: true, sameSite: 'Lax', path: '/' }])
  t.notOk(response.cookies[0]?.maxAge)
  t.strictSame(s.calls, ['createSession'])
  const cookie = cookieOf(response) ?? ''
  s.calls.length = 0
  const read = await s.get('/data', cookie)
  t.strictSame([read.json(), read.headers['set-cookie']], [{ cart: ['pear'] }, undefined])
  t.strictSame(s.calls, ['readSession'], 'reading is one command')
  s.calls.length = 0
  const again = await s.post('/data', cookie, { cart: ['pear'] })
  t.equal(again.headers['set-cookie'], undefined)
  t.strictSame(s.calls, ['readSession'], 'writing what is there already writes nothing')
})

t.test('the hook serves a route, a scope, and a preHandler; twice is once', async (t) => {
  const s = await sessionApp(t, {
    routes(app) {
      app.get('/late', { preHandler: app.useSession }, async ({ session }) => session.cart)
      app.register(async (scope) => {
        scope.addHook('onRequest', app.useSession)
        scope.get('/scoped', { preHandler: app.useSession }, async ({ session }) => session.cart)
      })
    },
  })
  const cookie = await s.write({ cart: ['pear'] })
  for (const route of ['/late', '/scoped']) {
    s.calls.length = 0
    t.strictSame((await s.get(route, cookie)).json(), ['pear'])
    t.strictSame(s.calls, ['readSession'])
  }
})

t.test('a forged, doubled or dead cookie gives a new session, under a new id', async (t) => {
  const s = await sessionApp(t)
  const real = await s.write({ cart: ['pear'] })
  const dead = `session=${signValue(idKeys, 'A'.repeat(43))}`
  for (const header of ['session=junk', `${real}; ${real}`, dead]) {
    const read = await s.get('/data', header)
    t.strictSame([read.json(), read.headers['set-cookie']], [{}, undefined])
    const cookie = cookieOf(await s.post('/data', header, { mine: 1 })) ?? ''
    t.notOk(header.includes(cookie))
    t.not(idOf(cookie), 'A'.repeat(43))
    t.strictSame(await s.data(cookie), { mine: 1 })
  }
  t.strictSame(await s.data(real), { cart: ['pear'] })
})

t.test('get, set, in-place changes, deletions and save are what people know', async (t) => {
  const seen: unknown[] = []
  const s = await sessionApp(t, {
    routes: using({
      async push({ session }) {
        session.cart?.push('plum')
      },
      async remove({ session }) {
        delete session.note
        session.set('cart', undefined)
      },
      async save({ session }) {
        session.set('note', 'saved')
        seen.push(session.isModified())
        await session.save()
        seen.push(session.isModified(), session.isSaved(), session.get('note'), session.sessionId)
        session.touch()
        session.options({ maxAge: 1000 })
      },
      saveByCallback({ session }, reply) {
        session.more = true
        session.save((error: unknown) => reply.send({ error: error ?? null }))
      },
    }),
  })
  const cookie = await s.write({ cart: ['pear'], note: 'x' })
  await s.get('/push', cookie)
  t.strictSame(await s.data(cookie), { cart: ['pear', 'plum'], note: 'x' })
  await s.get('/remove', cookie)
  t.strictSame(await s.data(cookie), {})
  s.calls.length = 0
  t.equal((await s.get('/save', cookie)).headers['set-cookie'], undefined)
  t.strictSame(s.calls, ['readSession', 'replaceSession'])
  t.strictSame(seen, [true, false, true, 'saved', idOf(cookie)])
  t.strictSame((await s.get('/saveByCallback', cookie)).json(), { error: null })
  t.strictSame(await s.data(cookie), { note: 'saved', more: true })
})

t.test('saves of a new session that run at once make one session', async (t) => {
  const s = await sessionApp(t, {
    routes: using({
      async both({ session }) {
        session.a = 1
        const first = session.save()
        session.b = 2
        await Promise.all([first, session.save()])
        session.c = 3
      },
    }),
  })
  const response = await s.get('/both')
  t.equal(response.cookies.length, 1)
  t.strictSame(await s.data(cookieOf(response)), { a: 1, b: 2, c: 3 })
})

t.test('an empty session that is saved by hand is stored, and one that was not touched is not', async (t) => {
  const s = await sessionApp(t, { routes: using({ save: async ({ session }) => session.save() }) })
  const cookie = cookieOf(await s.get('/save')) ?? ''
  t.ok(await recordOf(s, cookie))
})

t.test('a request has a copy of its own until it saves', async (t) => {
  const gate = makeGate()
  const s = await sessionApp(t, {
    routes: using({
      async slow({ session }) {
        session.cart?.push('mine')
        await gate.opened
        return session.cart
      },
    }),
  })
  const cookie = await s.write({ cart: ['pear'] })
  const slow = s.get('/slow', cookie)
  t.strictSame(await s.data(cookie), { cart: ['pear'] })
  gate.open()
  t.strictSame((await slow).json(), ['pear', 'mine'])
})

for (const [kind, makeStore] of Object.entries(STORES)) {
  t.test(`${kind}: fifty writers of different keys at once lose nothing`, async (t) => {
    const ready = makeGate()
    let waiting = 0
    const s = await sessionApp(t, {
      store: await makeStore(t),
      routes: (app) =>
        app.get<{ Params: { key: string } }>('/slow/:key', { onRequest: app.useSession }, async (request) => {
          request.session[request.params.key] = request.params.key
          if (++waiting === 50) ready.open()
          await ready.opened
        }),
    })
    const cookie = await s.write({ cart: ['pear'] }, await s.login())
    const keys = Array.from({ length: 50 }, (_, index) => `key${index}`)
    const answers = await Promise.all(keys.map((key) => s.get(`/slow/${key}`, cookie)))
    t.ok(answers.every(({ statusCode }) => statusCode === 200))
    t.strictSame(Object.keys(await s.data(cookie)).sort(), ['cart', ...keys].sort())
    t.equal((await s.me(cookie)).json().username, 'alice', 'and the sign-in is as it was')
  })

  t.test(`${kind}: a session destroyed while a request runs stays destroyed`, async (t) => {
    const gates: Gate[] = []
    const wait = () => {
      const gate = makeGate()
      gates.push(gate)
      return gate.opened
    }
    const s = await sessionApp(t, {
      store: await makeStore(t),
      routes: using({
        async write({ session }) {
          await wait()
          session.late = true
        },
        async saves({ session }) {
          await wait()
          session.late = true
          await session.save()
          session.later = true
        },
        async reloads(request) {
          await wait()
          await request.session.reload()
          request.session.late = true
          await request.session.reload()
        },
      }),
    })
    const cookie = await s.write({ cart: ['pear'] }, await s.login())
    const running = ['/write', '/saves', '/reloads'].map((route) => s.get(route, cookie))
    while (gates.length < 3) await new Promise((resolve) => setImmediate(resolve))
    await s.post('/logout', cookie)
    for (const gate of gates) gate.open()
    for (const response of await Promise.all(running)) {
      t.equal(response.statusCode, 200)
      t.equal(response.headers['set-cookie'], undefined)
    }
    t.equal(await recordOf(s, cookie), null)
    t.equal((await s.me(cookie)).statusCode, 401)
  })

  t.test(`${kind}: destroy ends the sign-in as well, and clears the cookie`, async (t) => {
    const seen: unknown[] = []
    const s = await sessionApp(t, {
      store: await makeStore(t),
      routes: using({
        async destroy(request) {
          const { session } = request
          await session.destroy()
          seen.push(request.session)
          session.late = true
          await session.save()
        },
      }),
    })
    for (const cookie of [await s.login(), await s.write({ cart: ['pear'] })]) {
      const response = await s.get('/destroy', cookie)
      t.match(response.cookies, [{ name: 'session', value: '', path: '/', httpOnly: true }])
      t.equal(await recordOf(s, cookie), null)
      t.equal((await s.me(cookie)).statusCode, 401)
    }
    t.equal((await s.get('/destroy')).headers['set-cookie'], undefined, 'there was nothing to clear')
    t.strictSame(seen, [null, null, null])
    t.strictSame(await s.store.listSignIns('a-1', START), [])
  })

  t.test(`${kind}: regenerate ends the sign-in as well, and hands out a new id`, async (t) => {
    const s = await sessionApp(t, {
      store: await makeStore(t),
      routes: using({
        async keep(request) {
          await request.session.regenerate(['cart'])
          request.session.more = 1
        },
        async drop(request) {
          await request.session.regenerate()
        },
        byCallback(request, reply) {
          request.session.regenerate((error: unknown) => reply.send({ error: error ?? null }))
        },
      }),
    })
    for (const [route, data] of Object.entries({
      keep: { cart: ['pear'], more: 1 },
      drop: {},
      byCallback: {},
    })) {
      const cookie = await s.write({ cart: ['pear'], note: 'x' }, await s.login())
      const response = await s.get(`/${route}`, cookie)
      t.equal(response.statusCode, 200)
      t.equal(response.cookies.length, 1)
      const next = cookieOf(response) ?? ''
      t.not(idOf(next), idOf(cookie))
      t.strictSame(await s.data(next), data)
      t.equal((await s.me(cookie)).statusCode, 401)
      t.equal(await recordOf(s, cookie), null)
      t.strictSame(await s.store.listSignIns('a-1', START), [])
    }
  })
}

t.test('reload shows what others wrote meanwhile, and drops what was not saved', async (t) => {
  const seen: unknown[] = []
  const s = await sessionApp(t, {
    routes: using({
      async reload(request) {
        request.session.mine = 1
        await s.write({ theirs: 2 }, request.headers.cookie)
        await request.session.reload()
        seen.push(request.session.mine, request.session.theirs)
        request.session.after = 3
      },
      async fresh(request) {
        request.session.gone = 1
        await request.session.reload()
        request.session.kept = 2
      },
    }),
  })
  const cookie = await s.write({ cart: ['pear'] })
  await s.get('/reload', cookie)
  t.strictSame(seen, [undefined, 2])
  t.strictSame(await s.data(cookie), { cart: ['pear'], theirs: 2, after: 3 })
  t.strictSame(await s.data(cookieOf(await s.get('/fresh'))), { kept: 2 }, 'a new one stays new')
})

t.test(
  'signing in on a route that uses the session carries what was not saved, and goes on with the new one',
  async (t) => {
    const seen: unknown[] = []
    const s = await sessionApp(t, {
      routes: using({
        async enter(request) {
          request.session.before = 1
          await request.signIn('session', ALICE)
          seen.push(request.session.before, request.session.sessionId)
          request.session.after = 2
        },
        async enterAsBob(request) {
          request.session.before = 1
          await request.signIn('session', BOB)
        },
        async enterAfterDestroy(request) {
          await request.session.destroy()
          await request.signIn('session', ALICE)
        },
        async enterThenDestroy(request) {
          await request.signIn('session', ALICE)
          await request.session.destroy()
        },
        async leave(request) {
          request.session.late = 1
          await request.signOut('session')
          seen.push(request.session)
        },
      }),
    })
    const visitor = await s.write({ cart: ['pear'] })
    for (const cookie of [undefined, visitor]) {
      const response = await s.get('/enter', cookie)
      t.equal(response.cookies.length, 1)
      const next = cookieOf(response) ?? ''
      t.strictSame(seen.splice(0), [1, idOf(next)])
      t.match(await s.data(next), { before: 1, after: 2, ...(cookie ? { cart: ['pear'] } : {}) })
      t.equal((await s.me(next)).json().username, 'alice')
    }
    t.equal(await recordOf(s, visitor), null)
    const alice = await s.write({ cart: ['pear'] }, await s.login())
    const bob = cookieOf(await s.get('/enterAsBob', alice)) ?? ''
    t.strictSame(await s.data(bob), {}, "nothing of Alice's")
    const bare = cookieOf(await s.get('/enterAfterDestroy', await s.write({ cart: ['pear'] }))) ?? ''
    t.strictSame(await s.data(bare), {})
    const none = await s.get('/enterThenDestroy')
    t.strictSame(
      none.cookies.map(({ value }) => value),
      [''],
    )
    const left = await s.get('/leave', bob)
    t.strictSame([cookieOf(left), seen], ['', [null]])
    t.equal(await recordOf(s, bob), null)
  },
)

t.test(
  'signing in carries over what others wrote since the session was read, or nothing if it was ended',
  async (t) => {
    const s = await sessionApp(t, {
      routes: using({
        async enter(request) {
          request.session.mine = 1
          await s.write({ theirs: 2 }, request.headers.cookie)
          await request.signIn('session', ALICE)
        },
        async tooLate(request) {
          request.session.mine = 1
          await s.login(ALICE, request.headers.cookie)
          await request.signIn('session', ALICE)
        },
      }),
    })
    const visitor = await s.write({ cart: ['pear'] })
    const next = cookieOf(await s.get('/enter', visitor))
    t.strictSame(await s.data(next), { cart: ['pear'], theirs: 2, mine: 1 })
    const late = cookieOf(await s.get('/tooLate', await s.write({ cart: ['pear'] })))
    t.strictSame(await s.data(late), { mine: 1 })
  },
)

t.test('a store that is down is 503: before the handler runs, or instead of its answer', async (t) => {
  let ran = 0
  const s = await sessionApp(t, {
    routes: using({
      async write({ session }) {
        ran++
        session.more = ran
        return 'claimed'
      },
      async regenerate(request) {
        await request.session.regenerate(['cart'])
      },
      async destroy({ session }) {
        await session.destroy()
      },
      async reload({ session }) {
        await session.reload()
      },
    }),
  })
  const cookie = await s.write({ cart: ['pear'] }, await s.login())
  const down = async (step: string, route: string, header?: string) => {
    s.failing.add(step)
    const response = await s.get(route, header)
    s.failing.clear()
    refused(t, response, 503, 'STORE_UNAVAILABLE', `${route}, ${step}`)
    t.equal(response.headers['set-cookie'], undefined, `${route}, ${step}: no cookie`)
  }
  await down('readSession', '/write', cookie)
  t.equal(ran, 0)
  await down('isLive', '/write', cookie)
  t.equal(ran, 0)
  await down('replaceSession', '/write', cookie)
  await down('createSession', '/write')
  t.equal(ran, 2)
  await down('endSignIn', '/regenerate', cookie)
  await down('endSignIn', '/destroy', cookie)
  t.strictSame(await s.data(cookie), { cart: ['pear'] })
  t.equal((await s.me(cookie)).statusCode, 200)
  const visitor = await s.write({ cart: ['pear'] })
  await down('destroySession', '/destroy', visitor)
  t.strictSame(await s.data(visitor), { cart: ['pear'] })
})

t.test('what was signed in goes out even where saving data fails afterwards', async (t) => {
  const s = await sessionApp(t, {
    routes: using({
      async enter(request) {
        await request.signIn('session', ALICE)
        request.session.more = 1
      },
    }),
  })
  s.failing.add('replaceSession')
  const response = await s.get('/enter')
  refused(t, response, 503, 'STORE_UNAVAILABLE')
  t.equal((await s.me(cookieOf(response))).statusCode, 200, 'the cookie is live, as the sign-in is')
})

t.test('writers that are never let through give up with 503', async (t) => {
  const s = await sessionApp(t, {
    routes: using({
      async write({ session }) {
        session.more = 1
      },
    }),
  })
  const cookie = await s.write({ cart: ['pear'] })
  const real = s.store.replaceSession
  Object.assign(s.store, { replaceSession: async () => 'conflict' })
  refused(t, await s.get('/write', cookie), 503, 'STORE_UNAVAILABLE')
  Object.assign(s.store, { replaceSession: real })
})

t.test('names that would break the session object are refused, and nothing is saved', async (t) => {
  const s = await sessionApp(t, {
    routes(app) {
      app.get<{ Querystring: { name: string } }>('/set', { onRequest: app.useSession }, async (request) => {
        request.session[request.query.name] = { polluted: true }
      })
    },
  })
  const cookie = await s.write({ cart: ['pear'] })
  for (const name of [
    '__proto__',
    'constructor',
    'save',
    'get',
    'set',
    'regenerate',
    'destroy',
    'isModified',
  ]) {
    const response = await s.get(`/set?name=${name}`, cookie)
    refused(t, response, 500, 'SESSION_DATA_INVALID', name)
    t.strictSame(await s.data(cookie), { cart: ['pear'] })
  }
  t.equal(Reflect.get({}, 'polluted'), undefined)
  t.equal((await s.get('/set?name=toString', cookie)).statusCode, 200)
  t.equal((await s.get('/set?name=a%0Ab', cookie)).statusCode, 200)
  t.strictSame(Object.keys(await s.data(cookie)), ['cart', 'toString', 'a\nb'])
})

t.test('what cannot be stored is refused, and nothing is saved', async (t) => {
  const s = await sessionApp(t, {
    session: { maxBytes: 2048 },
    routes: using({
      async big({ session }) {
        session.big = 'x'.repeat(2000)
      },
      async bigint({ session }) {
        session.big = 1n
      },
      async dropped({ session }) {
        session.cart = undefined
      },
      async run({ session }) {
        session.cart = ['pear', 'plum']
        session.run = () => {}
      },
      async map({ session }) {
        session.cart = ['pear', 'plum']
        session.seen = { by: new Map([['a', 1]]) }
      },
      async nan({ session }) {
        session.count = Number.NaN
      },
    }),
  })
  const cookie = await s.write({ cart: ['pear'] })
  for (const route of ['/big', '/bigint', '/run', '/map', '/nan']) {
    refused(t, await s.get(route, cookie), 500, 'SESSION_DATA_INVALID', route)
    t.strictSame(await s.data(cookie), { cart: ['pear'] })
  }
  refused(t, await s.get('/big'), 500, 'SESSION_DATA_INVALID', 'a new session')
  await s.get('/dropped', cookie)
  t.strictSame(await s.data(cookie), {})
  refused(
    t,
    await s.post('/login', undefined, { account: ALICE, claims: { big: 'x'.repeat(2000) } }),
    500,
    'SESSION_DATA_INVALID',
    'claims',
  )
  t.strictSame(await s.store.listSignIns('a-1', START), [])
})

t.test('stored names that became reserved are not shown', async (t) => {
  const s = await sessionApp(t)
  const { seal } = await import('../../../../plugins/lib/session/seal.js')
  const keys = createKeyRing([SECRET]).purpose('session-data')
  const cookie = await s.write({ cart: ['pear'] })
  const key = sessionKeyOf(idOf(cookie))
  const record = await recordOf(s, cookie)
  if (!record) throw new Error('no record')
  const text = '{"signIn":null,"data":{"__proto__":{"polluted":1},"save":1,"note":"x"}}'
  await s.store.replaceSession(key, { ...record, version: 2, sealed: seal(keys, key, text) })
  t.strictSame(await s.data(cookie), { note: 'x' })
  await s.write({ more: 1 }, cookie)
  t.strictSame(await s.data(cookie), { note: 'x', more: 1 })
})

t.test('a write does not move back the idle limit that its request moved forward', async (t) => {
  const s = await sessionApp(t)
  for (const begin of [() => s.login(), () => s.write({ cart: ['pear'] })]) {
    const cookie = await begin()
    s.clock.now += 3_600_000
    await s.write({ more: s.clock.now }, cookie)
    t.equal((await recordOf(s, cookie))?.idleExpiresAt, s.clock.now + 7_200_000)
    s.clock.now += 1000
    await s.write({ more: s.clock.now }, cookie)
    t.equal((await recordOf(s, cookie))?.idleExpiresAt, s.clock.now - 1000 + 7_200_000)
  }
})
