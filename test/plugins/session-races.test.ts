import t from 'tap'
import { sessionKeyOf } from '../../plugins/lib/session/cookie.js'
import {
  ALICE,
  BOB,
  cookieOf,
  type Gate,
  makeGate,
  OTHER_SECRET,
  SECRET,
  type SessionApp,
  START,
  STORES,
  sessionApp,
} from '../helpers/session-app.js'

/** The real stores are what races are about; memory is here to tell a fault of ours from one of theirs. */
const LOGOUTS: Record<string, number> = { memory: 60, sqlite: 300, redis: 300 }
const AT_ONCE = 30

/** Handlers that have their session, and are held until the test lets them go on. */
class Held {
  readonly #gates = new Map<string, Gate>()
  readonly #arrived = new Map<string, Gate>()
  readonly #waiting = new Map<string, number>()

  /** Called by a handler: resolves when `release` is called for its round. */
  wait(round: string, expected: number): Promise<void> {
    const waiting = (this.#waiting.get(round) ?? 0) + 1
    this.#waiting.set(round, waiting)
    if (waiting === expected) gateOf(this.#arrived, round).open()
    return gateOf(this.#gates, round).opened
  }

  /** Resolves when all of a round have arrived. */
  arrived(round: string): Promise<void> {
    return gateOf(this.#arrived, round).opened
  }

  release(round: string): void {
    gateOf(this.#gates, round).open()
  }
}

function gateOf(gates: Map<string, Gate>, round: string): Gate {
  const gate = gates.get(round) ?? makeGate()
  gates.set(round, gate)
  return gate
}

// For machines with more to do.
t.setTimeout(600_000)

const DAY = 86_400

t.test(
  'where the store cannot say whether the sign-in lives, the answer goes out without the cookie',
  async (t) => {
    const [held, log, clock] = [new Held(), [] as string[], { now: START }]
    const s = await sessionApp(t, {
      ...{ clock, log, session: { rememberTtl: DAY } },
      routes: (app) => app.get('/slow', { preHandler: app.guard() }, () => held.wait('', 1)),
    })
    const cookie = await s.login(ALICE, undefined, { remember: true })
    clock.now += (DAY / 2) * 1000
    const slow = s.get('/slow', cookie)
    await held.arrived('')
    s.failing.add('isLive')
    held.release('')
    t.equal((await slow).statusCode, 200)
    t.equal((await slow).headers['set-cookie'], undefined)
    t.match(log.join(''), 'a session cookie could not be renewed')
    t.notMatch(log.join(''), cookie.slice('session='.length), 'the log holds no credential')
    s.failing.clear()
    t.equal((await s.me(cookie)).statusCode, 200)
  },
)

/** Why the answer to a slow request would set the session's cookie again. */
const DUE = {
  'is remembered, and was not used for long': { remember: true, later: DAY / 2, secrets: [SECRET] },
  'is under a secret that no longer signs': { remember: false, later: 60, secrets: [OTHER_SECRET, SECRET] },
}

/** What may happen at the same browser meanwhile. Each answers with what the browser holds then. */
const MEANWHILE: Record<string, (s: SessionApp, cookie: string) => Promise<unknown>> = {
  'somebody else signs in': (s, cookie) => s.login(BOB, cookie),
  'its owner signs in again': (s, cookie) => s.login(ALICE, cookie),
  'its owner signs out': (s, cookie) => s.post('/logout', cookie),
  'all sign-ins are ended': (s) => s.app.signIns.endAll(ALICE.id),
}

for (const [kind, makeStore] of Object.entries(STORES)) {
  for (const [due, { remember, later, secrets }] of Object.entries(DUE)) {
    t.test(`${kind}: the late answer to an older request renews no cookie that ${due}`, async (t) => {
      const [store, held, clock] = [await makeStore(t), new Held(), { now: START }]
      const session = { rememberTtl: DAY }
      const before = await sessionApp(t, { store, clock, session })
      const s = await sessionApp(t, {
        ...{ store, clock, session, secrets },
        routes: (app) =>
          app.get<{ Params: { round: string } }>('/slow/:round', { preHandler: app.guard() }, (request) =>
            held.wait(request.params.round, 1),
          ),
      })
      const answerOf = async (round: string, act: (cookie: string) => Promise<unknown>) => {
        clock.now = START
        const cookie = await before.login(ALICE, undefined, { remember })
        clock.now += later * 1000
        const slow = s.get(`/slow/${round}`, cookie)
        await held.arrived(round)
        await act(cookie)
        held.release(round)
        return slow
      }
      const control = await answerOf('nothing', async () => {})
      t.ok(cookieOf(control), 'it is due, and set where nothing happened')
      for (const [what, act] of Object.entries(MEANWHILE)) {
        const slow = await answerOf(what, (cookie) => act(s, cookie))
        t.equal(slow.statusCode, 200)
        t.equal(slow.headers['set-cookie'], undefined, what)
      }
    })
  }

  t.test(`${kind}: nor does it put a visitor’s cookie over the one of who signed in`, async (t) => {
    const [store, held] = [await makeStore(t), new Held()]
    const before = await sessionApp(t, { store })
    const s = await sessionApp(t, {
      ...{ store, secrets: [OTHER_SECRET, SECRET] },
      routes: (app) =>
        app.get<{ Params: { round: string } }>(
          '/slow/:round',
          { preHandler: app.guard({ optional: true }) },
          (request) => held.wait(request.params.round, 1),
        ),
    })
    const answerOf = async (round: string, act: (cookie: string) => Promise<unknown>) => {
      const cookie = await before.write({ cart: ['pear'] })
      const slow = s.get(`/slow/${round}`, cookie)
      await held.arrived(round)
      await act(cookie)
      held.release(round)
      return slow
    }
    t.ok(cookieOf(await answerOf('nothing', async () => {})), 'it is due')
    const slow = await answerOf('login', (cookie) => s.login(ALICE, cookie))
    t.equal(slow.headers['set-cookie'], undefined)
  })

  t.test(`${kind}: a session is destroyed too late to clear the cookie of who signed in`, async (t) => {
    const held = new Held()
    const s = await sessionApp(t, {
      store: await makeStore(t),
      routes: (app) =>
        app.get<{ Params: { round: string } }>(
          '/leave/:round',
          { onRequest: app.useSession },
          async ({ params, session }) => {
            await held.wait(params.round, 1)
            await session.destroy()
          },
        ),
    })
    const begun = { visitor: () => s.write({ cart: ['pear'] }), alice: () => s.login() }
    for (const [who, begin] of Object.entries(begun)) {
      const leave = async (round: string, meanwhile: (cookie: string) => Promise<unknown>) => {
        const cookie = await begin()
        const late = s.get(`/leave/${who}-${round}`, cookie)
        await held.arrived(`${who}-${round}`)
        await meanwhile(cookie)
        held.release(`${who}-${round}`)
        return late
      }
      t.match((await leave('first', async () => {})).headers['set-cookie'], /^session=; Max-Age=0/)
      const late = await leave('second', (cookie) => s.login(BOB, cookie))
      t.equal(late.statusCode, 200)
      t.equal(late.headers['set-cookie'], undefined, `${who}: by now the browser holds another one`)
    }
  })

  t.test(`${kind}: nor one whose time ran out meanwhile`, async (t) => {
    const [store, held, clock] = [await makeStore(t), new Held(), { now: START }]
    const session = { rememberTtl: DAY, absoluteTtl: 2 * DAY }
    const s = await sessionApp(t, {
      ...{ store, clock, session },
      routes: (app) => app.get('/slow', { preHandler: app.guard() }, () => held.wait('', 1)),
    })
    const cookie = await s.login(ALICE, undefined, { remember: true })
    clock.now += (DAY / 2) * 1000
    const slow = s.get('/slow', cookie)
    await held.arrived('')
    clock.now = START + 2 * DAY * 1000
    held.release('')
    t.equal((await slow).headers['set-cookie'], undefined, 'Max-Age=0 would drop what the browser holds')
  })

  const logouts = LOGOUTS[kind] ?? 0

  t.test(`${kind}: of ${logouts} logouts with three requests in flight, none is undone`, async (t) => {
    const held = new Held()
    const ids = new Map<string, string>()
    const s = await sessionApp(t, {
      store: await makeStore(t),
      routes(app) {
        const both = { onRequest: [app.guard(), app.useSession] }
        app.get<{ Params: { round: string } }>('/read/:round', both, async (request) => {
          ids.set(request.params.round, request.session.sessionId)
          await held.wait(request.params.round, 3)
          return request.session.cart
        })
        app.get<{ Params: { round: string } }>('/write/:round', both, async (request) => {
          await held.wait(request.params.round, 3)
          request.session.cart = ['late']
        })
        app.get<{ Params: { round: string } }>('/save/:round', both, async (request) => {
          await held.wait(request.params.round, 3)
          request.session.saved = true
          await request.session.save()
          request.session.more = true
        })
      },
    })
    const outcome = { undone: 0, records: 0, signIns: 0, cookies: 0, failed: 0 }
    const logOut = async (round: string) => {
      const cookie = await s.write({ cart: ['pear'] }, await s.login())
      const running = ['read', 'write', 'save'].map((route) => s.get(`/${route}/${round}`, cookie))
      await held.arrived(round)
      const out = await s.post('/logout', cookie)
      held.release(round)
      const answers = await Promise.all(running)
      if (out.statusCode !== 200 || answers.some(({ statusCode }) => statusCode !== 200)) outcome.failed++
      if (answers.some((answer) => cookieOf(answer) !== undefined)) outcome.cookies++
      if ((await s.me(cookie)).statusCode !== 401) outcome.undone++
      const key = sessionKeyOf(ids.get(round) ?? '')
      if ((await s.store.readSession(key, s.clock.now)) !== null) outcome.records++
    }
    for (let done = 0; done < logouts; done += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => logOut(String(done + index))))
    }
    outcome.signIns = (await s.store.listSignIns(ALICE.id, s.clock.now)).length
    t.equal(ids.size, logouts)
    t.strictSame(outcome, { undone: 0, records: 0, signIns: 0, cookies: 0, failed: 0 })
  })

  t.test(
    `${kind}: a session that is read while its owner logs out is never touched back to life`,
    async (t) => {
      const held = new Held()
      const s = await sessionApp(t, {
        store: await makeStore(t),
        routes: (app) =>
          app.get<{ Params: { round: string } }>(
            '/read/:round',
            { onRequest: app.useSession },
            async (request) => {
              await held.wait(request.params.round, 1)
              return request.session.cart
            },
          ),
      })
      const cookies = await Promise.all(Array.from({ length: 20 }, () => s.login()))
      s.clock.now += 3_600_000
      await Promise.all(
        cookies.map(async (cookie, round) => {
          const reading = s.get(`/read/${round}`, cookie)
          const leaving = s.post('/logout', cookie)
          await Promise.all([held.arrived(String(round)), leaving])
          held.release(String(round))
          await reading
        }),
      )
      const after = await Promise.all(cookies.map(async (cookie) => (await s.me(cookie)).statusCode))
      t.ok(after.every((status) => status === 401))
    },
  )

  t.test(`${kind}: of sign-ins with one cookie at once, each has an id of its own`, async (t) => {
    const s = await sessionApp(t, { store: await makeStore(t) })
    const visitor = await s.write({ cart: ['pear'] })
    const cookies = await Promise.all(Array.from({ length: 10 }, () => s.login(ALICE, visitor)))
    t.equal(new Set(cookies).size, 10)
    t.equal((await s.me(visitor)).json().code, 'SIGNED_OUT')
    t.equal((await s.store.listSignIns(ALICE.id, s.clock.now)).length, 10)
  })
}
