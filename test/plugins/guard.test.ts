import { once } from 'node:events'
import { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { AuthMode, Identity, ModeName, Resolution } from '../../plugins/lib/contract.js'
import { CredentialAmbiguous, StoreUnavailable } from '../../plugins/lib/errors.js'
import type { Guard, GuardOptions } from '../../plugins/lib/identity/guard.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { listen, sendRaw } from '../helpers/http.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  type Headers,
  handMadeMode,
  headerMode,
  identityFor,
  refused,
  type SuiteOptions,
  scriptedMode,
  tokenMode,
} from '../helpers/suite.js'

const token = () => handMadeMode(headerMode('token'))
const cookie = () => handMadeMode(headerMode('cookie'))

/** An app on the modes token and cookie, both scripted, with these guards on `GET` and `POST /`. */
async function guarded(
  t: Test,
  makeGuards: (app: FastifyInstance) => Guard | Guard[],
  options: Partial<SuiteOptions> = {},
) {
  let handled = 0
  const suite = await buildSuite(t, {
    modes: [token(), cookie()],
    ...options,
    routes(app) {
      app.route({
        method: ['GET', 'POST'],
        url: '/',
        preHandler: makeGuards(app),
        // Counts before it asks who it is: one that never asks must not be reached either.
        handler: async (request) => {
          handled += 1
          return { who: request.identityOrNull?.username ?? 'nobody' }
        },
      })
      return options.routes?.(app)
    },
  })
  return {
    ...suite,
    get: (headers: Headers = {}) => suite.app.inject({ url: '/', headers }),
    handled: () => handled,
  }
}

/** What a mode in plain JavaScript may say. */
const forgetful = (authTime: unknown): Resolution => ({
  kind: 'identity',
  identity: { ...identityFor(ALICE, 'token'), authTime } as Identity,
})

const ALICE_BY_TOKEN = { 'x-token': 'alice' }
const ALICE_BY_COOKIE = { 'x-cookie': 'alice' }
const BOB_BY_TOKEN = { 'x-token': 'bob' }
const BOB_BY_COOKIE = { 'x-cookie': 'bob' }
const JUNK_BY_TOKEN = { 'x-token': 'junk' }

t.test('a role', async (t) => {
  t.test('lets in who has it, and refuses others with 403', async (t) => {
    const { get, handled } = await guarded(t, (app) => app.guard({ role: 'admin' }))
    t.same((await get(ALICE_BY_TOKEN)).json(), { who: 'alice' })
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
    refused(t, await get(), 401, 'NOT_SIGNED_IN')
    t.equal(handled(), 1)
  })

  t.test('several: one of them is enough', async (t) => {
    const { get } = await guarded(t, (app) => app.guard({ role: ['admin', 'user'] }))
    t.same((await get(ALICE_BY_TOKEN)).json(), { who: 'alice' })
    t.same((await get(BOB_BY_COOKIE)).json(), { who: 'bob' })
  })

  t.test('is compared whole', async (t) => {
    const { get } = await guarded(t, (app) => app.guard({ role: ['adm', 'Admin', 'administrator', 'users'] }))
    refused(t, await get(ALICE_BY_TOKEN), 403, 'ROLE_REQUIRED')
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
  })

  t.test('is another thing than being signed in: 403 whatever unauthenticatedStatus says', async (t) => {
    const identity = { unauthenticatedStatus: 401 as const }
    const { get } = await guarded(t, (app) => app.guard({ role: 'admin' }), { identity })
    const answer = await get(BOB_BY_TOKEN)
    refused(t, answer, 403, 'ROLE_REQUIRED')
    t.equal(answer.headers['www-authenticate'], undefined)
  })

  t.test('what is changed in the options afterwards changes nothing', async (t) => {
    const role = ['admin']
    const modes: ModeName[] = ['token']
    const options = { role, modes }
    const { get } = await guarded(t, (app) => {
      const guard = app.guard(options)
      role.push('user')
      modes.push('cookie')
      options.role = ['user']
      return guard
    })
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
    refused(t, await get(ALICE_BY_COOKIE), 401, 'NOT_SIGNED_IN')
    t.equal((await get(ALICE_BY_TOKEN)).statusCode, 200)
  })
})

t.test('a recent sign-in', async (t) => {
  const asked: [option: true | number, seconds: number][] = [
    [true, 600],
    [60, 60],
  ]
  for (const [fresh, seconds] of asked) {
    t.test(`${seconds} seconds old is recent, and no more`, async (t) => {
      const { get, clock, handled } = await guarded(t, (app) => app.guard({ fresh }))
      clock.advance(seconds)
      t.same((await get(BOB_BY_COOKIE)).json(), { who: 'bob' })
      clock.now += 1
      for (const headers of [BOB_BY_COOKIE, BOB_BY_TOKEN]) {
        const answer = await get(headers)
        refused(t, answer, 403, 'SIGN_IN_TOO_OLD')
        const challenge = `Bearer error="insufficient_user_authentication", max_age="${seconds}"`
        t.equal(answer.headers['www-authenticate'], challenge, 'RFC 9470 §3')
      }
      refused(t, await get(), 401, 'NOT_SIGNED_IN')
      t.equal(handled(), 1)
    })
  }

  t.test('counts from the password: neither a renewal nor a refresh makes it younger', async (t) => {
    const { app, clock, signIn, post } = await buildSuite(t, {
      modes: [cookieMode({ ttl: 300 }), tokenMode({ accessTtl: 300 })],
      routes(app) {
        app.get('/fresh', { preHandler: app.guard({ fresh: true }) }, async (request) => request.identity)
        app.post<{ Body: { token: string } }>('/refresh', async (request) =>
          app.refreshTokens.refresh(request, request.body.token),
        )
      },
    })
    const get = (headers: Headers) => app.inject({ url: '/fresh', headers })
    let cookie = cookieHeader(await signIn('cookie'))
    const pair = (await signIn('token')).json().issued
    for (const seconds of [200, 200, 200]) {
      clock.advance(seconds)
      const answer = await get(cookie)
      t.equal(answer.statusCode, 200)
      if (answer.cookies.length > 0) cookie = cookieHeader(answer)
    }
    clock.advance(1)
    refused(t, await get(cookie), 403, 'SIGN_IN_TOO_OLD', 'renewed')
    const { token } = (await post('/refresh', {}, { token: pair.refreshToken })).json()
    refused(t, await get({ authorization: `Bearer ${token}` }), 403, 'SIGN_IN_TOO_OLD', 'refreshed')
    t.equal((await get(cookieHeader(await signIn('cookie')))).statusCode, 200, 'a new one is recent')
  })

  t.test('is none whose time is not known', async (t) => {
    for (const authTime of [Number.NaN, undefined, null, '2026', Number.POSITIVE_INFINITY]) {
      const identity = { ...identityFor(ALICE, 'token'), authTime } as unknown as Identity
      const mode = scriptedMode('token', () => ({ kind: 'identity', identity }))
      const { get, handled } = await guarded(t, (app) => app.guard({ fresh: true }), {
        modes: [handMadeMode(mode)],
      })
      refused(t, await get(), 403, 'SIGN_IN_TOO_OLD', String(authTime))
      t.equal(handled(), 0)
    }
    const { get, clock } = await guarded(t, (app) => app.guard({ fresh: true }))
    clock.advance(-600)
    t.equal((await get(ALICE_BY_TOKEN)).statusCode, 200, 'a clock that was set back a little')
    clock.advance(-1)
    refused(t, await get(ALICE_BY_TOKEN), 403, 'SIGN_IN_TOO_OLD', 'a time that is yet to come')
    clock.now = Number.NaN
    refused(t, await get(ALICE_BY_TOKEN), 403, 'SIGN_IN_TOO_OLD', 'a clock that has lost the time')
  })

  t.test('goes with a role, and with another guard before it', async (t) => {
    const { get, clock } = await guarded(t, (app) => [app.guard(), app.guard({ role: 'admin', fresh: 60 })])
    t.same((await get(ALICE_BY_TOKEN)).json(), { who: 'alice' })
    clock.advance(61)
    refused(t, await get(ALICE_BY_TOKEN), 403, 'SIGN_IN_TOO_OLD')
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED', 'signing in again would not help')
  })

  t.test('is none where a mode does not say when the password was given', async (t) => {
    for (const authTime of [undefined, Number.NaN, 'yesterday']) {
      const { app, handled } = await guarded(t, (app) => app.guard({ fresh: true }), {
        modes: [handMadeMode(scriptedMode('token', () => forgetful(authTime)))],
      })
      refused(t, await app.inject('/'), 403, 'SIGN_IN_TOO_OLD', `${authTime}`)
      t.equal(handled(), 0)
    }
  })

  t.test('is not asked of nobody', async (t) => {
    const { get, clock } = await guarded(t, (app) => app.guard({ optional: true, fresh: true }))
    clock.advance(601)
    t.same((await get()).json(), { who: 'nobody' })
    refused(t, await get(BOB_BY_TOKEN), 403, 'SIGN_IN_TOO_OLD')
  })
})

t.test('modes', async (t) => {
  t.test('only these are asked', async (t) => {
    const { get } = await guarded(t, (app) => app.guard({ modes: ['cookie'] }))
    t.same((await get(BOB_BY_COOKIE)).json(), { who: 'bob' })
    refused(t, await get(ALICE_BY_TOKEN), 401, 'NOT_SIGNED_IN')
    t.same((await get({ ...JUNK_BY_TOKEN, ...BOB_BY_COOKIE })).json(), { who: 'bob' })
  })

  t.test('a caller whom another mode recognised before is refused with 403 MODE_REQUIRED', async (t) => {
    const { get, handled } = await guarded(t, (app) => [app.guard(), app.guard({ modes: ['cookie'] })])
    refused(t, await get(ALICE_BY_TOKEN), 403, 'MODE_REQUIRED')
    // Not even with a good cookie beside: two guards, one person.
    refused(t, await get({ ...ALICE_BY_TOKEN, ...BOB_BY_COOKIE }), 403, 'MODE_REQUIRED')
    t.same((await get(BOB_BY_COOKIE)).json(), { who: 'bob' })
    t.equal(handled(), 1)
  })

  t.test('an unknown one in a guard is a refusal at boot', async (t) => {
    const boot = guarded(t, (app) => app.guard({ modes: ['token', 'session'] }))
    await t.rejects(boot, { code: 'MODE_UNKNOWN', message: /session/ })
    const inherited = guarded(t, (app) => app.guard({ modes: ['constructor' as 'token'] }))
    await t.rejects(inherited, { code: 'MODE_UNKNOWN' })
  })

  t.test('a guard without any mode to ask is a refusal at boot', async (t) => {
    await t.rejects(buildSuite(t, { modes: [] }), { code: 'OPTION_INVALID' })
  })
})

t.test('optional', async (t) => {
  t.test('lets nobody pass as nobody, and somebody as who they are', async (t) => {
    const { get } = await guarded(t, (app) => app.guard({ optional: true }))
    t.same((await get()).json(), { who: 'nobody' })
    t.same((await get(BOB_BY_COOKIE)).json(), { who: 'bob' })
  })

  t.test('a bad credential is nobody only where refusals do not stop the search', async (t) => {
    const stop = await guarded(t, (app) => app.guard({ optional: true }))
    refused(t, await stop.get(JUNK_BY_TOKEN), 401, 'CREDENTIAL_INVALID')
    const next = await guarded(t, (app) => app.guard({ optional: true, onRefused: 'next' }))
    t.same((await next.get(JUNK_BY_TOKEN)).json(), { who: 'nobody' })
  })

  t.test('goes on past a refused credential that a browser sends by itself, and says why', async (t) => {
    const ambient = (promises: boolean) => [
      token(),
      handMadeMode(headerMode('session', { ambient: true, promises })),
      handMadeMode(headerMode('cookie', { ambient: true, promises })),
    ]
    for (const promises of [false, true]) {
      let reason: unknown
      const { get } = await guarded(t, (app) => app.guard({ optional: true }), {
        modes: ambient(promises),
        routes: (app) =>
          app.addHook('onSend', async (request) => {
            reason = request.refusedWith
          }),
      })
      const asks = async (headers: Headers, who: string, refusedWith: unknown) => {
        t.same((await get(headers)).json(), { who }, JSON.stringify(headers))
        t.equal(reason, refusedWith, `${JSON.stringify(headers)}: why`)
      }
      await asks({ 'x-session': 'junk' }, 'nobody', 'CREDENTIAL_INVALID')
      await asks({ 'x-session': 'expired', 'x-cookie': 'junk' }, 'nobody', 'TOKEN_EXPIRED')
      await asks({ 'x-session': 'junk', 'x-cookie': 'bob' }, 'bob', null)
      await asks({}, 'nobody', null)
      refused(t, await get({ 'x-token': 'expired', 'x-cookie': 'bob' }), 401, 'TOKEN_EXPIRED', 'a token')
      t.equal(reason, 'TOKEN_EXPIRED')
    }
  })

  t.test('refuses a dead token by its own reason, whatever cookie was refused before it', async (t) => {
    const modes = [handMadeMode(headerMode('cookie', { ambient: true })), token()]
    const { get, handled } = await guarded(t, (app) => app.guard({ optional: true }), { modes })
    const answer = await get({ 'x-cookie': 'junk', 'x-token': 'expired' })
    refused(t, answer, 401, 'TOKEN_EXPIRED')
    t.equal(handled(), 0)
  })

  t.test('an explicit onRefused, of the guard or the suite, overrides that', async (t) => {
    const modes = [token(), handMadeMode(headerMode('cookie', { ambient: true }))]
    const JUNK_BY_COOKIE = { 'x-cookie': 'junk' }
    const stop = await guarded(t, (app) => app.guard({ optional: true, onRefused: 'stop' }), { modes })
    refused(t, await stop.get(JUNK_BY_COOKIE), 401, 'CREDENTIAL_INVALID')
    const all = await guarded(t, (app) => app.guard({ optional: true }), {
      modes,
      identity: { onRefused: 'stop' },
    })
    refused(t, await all.get(JUNK_BY_COOKIE), 401, 'CREDENTIAL_INVALID')
    const next = await guarded(t, (app) => app.guard({ optional: true }), {
      modes,
      identity: { onRefused: 'next' },
    })
    t.same((await next.get(JUNK_BY_TOKEN)).json(), { who: 'nobody' })
    const strict = await guarded(t, (app) => app.guard(), { modes })
    refused(t, await strict.get(JUNK_BY_COOKIE), 401, 'CREDENTIAL_INVALID', 'a guard that is not optional')
  })

  t.test('a fault of a store is 503 all the same', async (t) => {
    const broken = scriptedMode('cookie', () => Promise.reject(new StoreUnavailable()), { ambient: true })
    const { get, handled } = await guarded(t, (app) => app.guard({ optional: true }), {
      modes: [token(), handMadeMode(broken)],
    })
    refused(t, await get(), 503, 'STORE_UNAVAILABLE')
    t.equal(handled(), 0)
  })

  t.test('still asks who is signed in for a role', async (t) => {
    const { get } = await guarded(t, (app) => app.guard({ optional: true, role: 'admin' }))
    t.same((await get()).json(), { who: 'nobody' })
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
  })
})

t.test('two guards', async (t) => {
  t.test('must both agree, in either order', async (t) => {
    for (const order of [1, -1]) {
      const { get } = await guarded(t, (app) => {
        const guards = [app.guard({ role: 'admin' }), app.guard({ modes: ['cookie'] })]
        return order === 1 ? guards : guards.reverse()
      })
      t.same((await get(ALICE_BY_COOKIE)).json(), { who: 'alice' })
      refused(t, await get(BOB_BY_COOKIE), 403, 'ROLE_REQUIRED')
      t.match((await get(ALICE_BY_TOKEN)).statusCode, order === 1 ? 403 : 401)
    }
  })

  t.test('see one person: the second asks no mode again', async (t) => {
    let asked = 0
    const inner = headerMode('token')
    const counting = scriptedMode('token', (request) => {
      asked += 1
      return inner.resolve(request)
    })
    const { get } = await guarded(t, (app) => [app.guard(), app.guard({ role: 'admin' }), app.guard()], {
      modes: [handMadeMode(counting)],
    })
    t.same((await get(ALICE_BY_TOKEN)).json(), { who: 'alice' })
    t.equal(asked, 1)
    // A second token, which a mode would answer otherwise for, cannot slip in between.
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
  })

  t.test('an optional one before does not make another one optional', async (t) => {
    const { get } = await guarded(t, (app) => [app.guard({ optional: true }), app.guard()])
    refused(t, await get(), 401, 'NOT_SIGNED_IN')
    t.same((await get(BOB_BY_TOKEN)).json(), { who: 'bob' })
  })

  t.test('where an optional one found nobody, the next looks for itself', async (t) => {
    const tokenOnly: GuardOptions = { optional: true, modes: ['token'], onRefused: 'next' }
    const { get } = await guarded(t, (app) => [app.guard(tokenOnly), app.guard()])
    t.same((await get(BOB_BY_COOKIE)).json(), { who: 'bob' }, 'it asks its own modes')
    refused(t, await get(JUNK_BY_TOKEN), 401, 'CREDENTIAL_INVALID', 'it minds the bad credential')
    refused(t, await get({ ...JUNK_BY_TOKEN, ...BOB_BY_COOKIE }), 401, 'CREDENTIAL_INVALID')
  })

  t.test('one on the scope and one on the route compose', async (t) => {
    const { app } = await guarded(t, (app) => app.guard(), {
      routes(app) {
        app.register(async (scope) => {
          scope.addHook('onRequest', scope.guard())
          scope.get('/scope', async (request) => request.identity)
          scope.get('/admin', { preHandler: scope.guard({ role: 'admin' }) }, async (r) => r.identity)
        })
      },
    })
    const get = (url: string, headers: Headers) => app.inject({ url, headers })
    t.equal((await get('/scope', BOB_BY_TOKEN)).statusCode, 200)
    refused(t, await get('/admin', BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
    t.equal((await get('/admin', ALICE_BY_TOKEN)).statusCode, 200)
    refused(t, await get('/scope', {}), 401, 'NOT_SIGNED_IN')
  })
})

t.test('a guard that says something it cannot mean is a refusal at boot', async (t) => {
  const bad: [string, object][] = [
    ['a misspelt option would let everybody in', { roles: 'admin' }],
    ['a role that was never set', { role: undefined }],
    ['no role', { role: null }],
    ['an empty role', { role: '' }],
    ['a list without a role', { role: [] }],
    ['a list with a role that was never set', { role: ['admin', undefined] }],
    ['a role that is no name', { role: { name: 'admin' } }],
    ['modes that were never set', { modes: undefined }],
    ['no modes', { modes: null }],
    ['a list without a mode', { modes: [] }],
    ['one mode as text', { modes: 'token' }],
    ['onRefused of another spelling', { onRefused: 'Stop' }],
    ['optional as text', { optional: 'false' }],
    ['an age that was never set', { fresh: undefined }],
    ['no age', { fresh: 0 }],
    ['a recent sign-in, or not', { fresh: false }],
    ['an age as text', { fresh: '600' }],
    ['an age that is none', { fresh: Number.NaN }],
  ]
  for (const [why, options] of bad) {
    await t.rejects(
      guarded(t, (app) => app.guard(options)),
      { code: 'OPTION_INVALID' },
      why,
    )
  }
  await t.resolves(guarded(t, (app) => app.guard({ optional: undefined, onRefused: undefined })))
})

t.test('a guard that was forgotten to be made lets nobody in', async (t) => {
  const { get, handled } = await guarded(t, (app) => app.guard as unknown as Guard)
  for (const headers of [{}, ALICE_BY_TOKEN]) t.equal((await get(headers)).statusCode, 500)
  t.equal(handled(), 0)
})

t.test('a guard may not be made once the application runs', async (t) => {
  const { app } = await guarded(t, (app) => app.guard())
  t.throws(() => app.guard(), { code: 'FST_ERR_INSTANCE_ALREADY_LISTENING' })
})

t.test('a guard may be made before the modes are registered', async (t) => {
  const { app } = await buildSuite(t, {
    modes: [
      async (app) => {
        app.get('/early', { preHandler: app.guard() }, async (request) => request.identity)
      },
      token(),
    ],
  })
  t.equal((await app.inject({ url: '/early', headers: ALICE_BY_TOKEN })).statusCode, 200)
  t.equal((await app.inject('/early')).statusCode, 401)
})

t.test('as onRequest', async (t) => {
  const bodies: SuiteOptions['routes'] = (app) => {
    app.post('/first', { onRequest: app.guard() }, async (request) => ({ body: request.body }))
    app.post('/late', { preHandler: app.guard() }, async (request) => ({ body: request.body }))
  }
  const malformed = { method: 'POST' as const, payload: '{"broken', url: '/first' }
  const json = { 'content-type': 'application/json' }

  t.test('nobody unauthenticated has a body parsed: 401, not 400', async (t) => {
    const { app } = await guarded(t, (app) => app.guard(), { routes: bodies })
    refused(t, await app.inject({ ...malformed, headers: json }), 401, 'NOT_SIGNED_IN')
    const junk = await app.inject({ ...malformed, headers: { ...json, ...JUNK_BY_TOKEN } })
    refused(t, junk, 401, 'CREDENTIAL_INVALID')
    const known = await app.inject({ ...malformed, headers: { ...json, ...BOB_BY_TOKEN } })
    t.equal(known.statusCode, 400)
    const late = await app.inject({ ...malformed, url: '/late', headers: json })
    t.equal(late.statusCode, 400, 'as preHandler it comes after the body')
  })

  t.test('nor one that is too large, or of an unknown type', async (t) => {
    const { app } = await guarded(t, (app) => app.guard(), { routes: bodies, server: { bodyLimit: 100 } })
    const large = { ...malformed, payload: 'x'.repeat(1000) }
    refused(t, await app.inject({ ...large, headers: json }), 401, 'NOT_SIGNED_IN')
    refused(t, await app.inject({ ...large, headers: { 'content-type': 'a/b' } }), 401, 'NOT_SIGNED_IN')
  })

  t.test('and a good request arrives with its body', async (t) => {
    for (const promises of [false, true]) {
      const modes = [handMadeMode(headerMode('token', { promises }))]
      const { app } = await buildSuite(t, { modes, routes: bodies })
      const port = await listen(app)
      const answer = await sendRaw(
        port,
        'POST /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Token: bob\r\nContent-Type: application/json\r\n' +
          'Content-Length: 7\r\n\r\n{"a":1}',
      )
      t.match(answer, /200 OK/)
      t.match(answer, /{"body":{"a":1}}/)
    }
  })
})

t.test('what a mode throws never lets a request through', async (t) => {
  const thrown: unknown[] = [undefined, null, false, 0, '', 'text', {}, [], Symbol('s'), new Error('boom')]
  const valueFor = (request: FastifyRequest) => thrown[Number(request.headers['x-index'])]
  const ways: Record<string, AuthMode['resolve']> = {
    throws: (request) => {
      throw valueFor(request)
    },
    'rejects with': (request) => Promise.reject(valueFor(request)),
  }
  for (const [way, resolve] of Object.entries(ways)) {
    for (const optional of [false, true]) {
      const { get, handled } = await guarded(t, (app) => app.guard({ optional, onRefused: 'next' }), {
        modes: [handMadeMode(scriptedMode('token', resolve)), cookie()],
      })
      for (const [index, value] of thrown.entries()) {
        const { statusCode } = await get({ ...ALICE_BY_COOKIE, 'x-index': String(index) })
        t.equal(statusCode, 500, `${way} ${typeof value} ${String(value)}`)
      }
      t.equal(handled(), 0)
    }
  }
})

t.test('what a mode answers beside a resolution never lets a request through', async (t) => {
  const answers: unknown[] = [
    undefined,
    null,
    true,
    'identity',
    {},
    [],
    { kind: 'Identity' },
    { kind: 'identity' },
    { kind: 'identity', identity: null },
    { kind: 'refused' },
    { kind: 'refused', code: 'constructor' },
    { kind: 'refused', code: 'toString' },
    { kind: 'refused', code: '__proto__' },
  ]
  const answerFor = (request: FastifyRequest) => answers[Number(request.headers['x-index'])]
  for (const resolve of [answerFor, async (request: FastifyRequest) => answerFor(request)]) {
    const mode = scriptedMode('token', resolve as AuthMode['resolve'])
    const { get, handled } = await guarded(t, (app) => app.guard(), { modes: [handMadeMode(mode)] })
    for (const [index, answer] of answers.entries()) {
      const { statusCode } = await get({ 'x-index': String(index) })
      t.ok(statusCode === 500 || statusCode === 401, `${JSON.stringify(answer)}: ${statusCode}`)
    }
    t.equal(handled(), 0)
  }
})

t.test('a promise of a kind of its own is waited for', async (t) => {
  const inner = headerMode('token')
  const mode = scriptedMode('token', (request) => {
    const resolution = inner.resolve(request) as Resolution
    // biome-ignore lint/suspicious/noThenProperty: a driver's own promise
    return { then: (done: (it: Resolution) => unknown) => done(resolution) } as never
  })
  const { get } = await guarded(t, (app) => app.guard(), { modes: [handMadeMode(mode)] })
  t.same((await get(BOB_BY_TOKEN)).json(), { who: 'bob' })
  refused(t, await get(JUNK_BY_TOKEN), 401, 'CREDENTIAL_INVALID')
  refused(t, await get(), 401, 'NOT_SIGNED_IN')
})

t.test('a malformed request is 400 whatever the guard says of bad credentials', async (t) => {
  const mode = scriptedMode('token', () => {
    throw new CredentialAmbiguous()
  })
  for (const options of [
    {},
    { onRefused: 'next' as const },
    { optional: true, onRefused: 'next' as const },
  ]) {
    const { get, handled } = await guarded(t, (app) => app.guard(options), {
      modes: [handMadeMode(mode), cookie()],
    })
    refused(t, await get(ALICE_BY_COOKIE), 400, 'CREDENTIAL_AMBIGUOUS')
    t.equal(handled(), 0)
  }
})

t.test('a store that cannot answer is 503 with Retry-After, and lets nobody in', async (t) => {
  for (const fails of [
    () => {
      throw new StoreUnavailable()
    },
    () => Promise.reject(new StoreUnavailable()),
  ]) {
    const { get, handled } = await guarded(t, (app) => app.guard({ optional: true, onRefused: 'next' }), {
      modes: [handMadeMode(scriptedMode('token', fails)), cookie()],
    })
    const answer = await get(ALICE_BY_COOKIE)
    refused(t, answer, 503, 'STORE_UNAVAILABLE')
    t.equal(answer.headers['retry-after'], '1')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(handled(), 0)
  }
})

t.test('a mode that needs no I/O makes no promise', async (t) => {
  const seen: Record<string, unknown> = {}
  const record: SuiteOptions['routes'] = (app) => {
    const guard = app.guard()
    app.get('/spy', async (request, reply) => {
      let called = false
      const returned: unknown = guard(request, reply, () => {
        called = true
      })
      // Called before the guard returned, and nothing was returned: no promise stood between.
      Object.assign(seen, { called, returned })
      return 'seen'
    })
  }
  const suite = await buildSuite(t, { modes: [tokenMode(), cookieMode()], routes: record })
  const headers = cookieHeader(await suite.signIn('cookie'))
  await suite.app.inject({ url: '/spy', headers })
  t.strictSame(seen, { called: true, returned: undefined })

  const { store } = faultyStore(createMemoryStore(), { promises: true })
  const slow = await buildSuite(t, { modes: [cookieMode()], store, routes: record })
  await slow.app.inject({ url: '/spy', headers: cookieHeader(await slow.signIn('cookie')) })
  t.strictSame(seen, { called: false, returned: undefined }, 'a store behind a socket does')
})

t.test('Cache-Control: no-store, admitted or refused', async (t) => {
  const { get } = await guarded(t, (app) => app.guard({ role: 'admin' }))
  for (const headers of [{}, ALICE_BY_TOKEN, BOB_BY_TOKEN, JUNK_BY_TOKEN]) {
    t.equal((await get(headers)).headers['cache-control'], 'no-store')
  }
  const optional = await guarded(t, (app) => app.guard({ optional: true }))
  t.equal((await optional.get()).headers['cache-control'], 'no-store')
})

t.test('the same-origin check follows the mode that recognised the caller', async (t) => {
  const ambient = () => handMadeMode(headerMode('cookie', { ambient: true }))
  const crossSite = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', host: 'app.example' }
  const both = (options: GuardOptions) => (t: Test) =>
    guarded(t, (app) => app.guard(options), { modes: [token(), ambient()] })

  t.test('junk beside a good cookie skips nothing', async (t) => {
    const { post, handled } = await both({ onRefused: 'next' })(t)
    const answer = await post('/', { ...crossSite, ...JUNK_BY_TOKEN, ...ALICE_BY_COOKIE })
    refused(t, answer, 403, 'CROSS_SITE')
    refused(t, await post('/', { ...crossSite, ...ALICE_BY_COOKIE }), 403, 'CROSS_SITE')
    t.equal(handled(), 0)
  })

  t.test('also behind an optional guard, and before a role is looked at', async (t) => {
    const { post, handled } = await both({ optional: true, onRefused: 'next', role: 'admin' })(t)
    for (const who of [ALICE_BY_COOKIE, BOB_BY_COOKIE, { ...JUNK_BY_TOKEN, ...BOB_BY_COOKIE }]) {
      refused(t, await post('/', { ...crossSite, ...who }), 403, 'CROSS_SITE')
    }
    t.equal((await post('/', crossSite)).json().who, 'nobody')
    t.equal(handled(), 1)
  })

  t.test('a good token beside a cookie passes', async (t) => {
    const { post } = await both({})(t)
    const answer = await post('/', { ...crossSite, ...BOB_BY_TOKEN, ...ALICE_BY_COOKIE })
    t.same(answer.json(), { who: 'bob' })
  })

  t.test('safe methods pass, unsafe ones of our own pages too', async (t) => {
    const { get, post, app } = await both({})(t)
    t.same((await get({ ...crossSite, ...ALICE_BY_COOKIE })).json(), { who: 'alice' })
    const head = await app.inject({ method: 'HEAD', url: '/', headers: { ...crossSite, ...ALICE_BY_COOKIE } })
    t.equal(head.statusCode, 200)
    t.same((await post('/', { 'sec-fetch-site': 'same-origin', ...ALICE_BY_COOKIE })).json(), {
      who: 'alice',
    })
  })

  t.test('holds for a WebSocket handshake, which is a GET', async (t) => {
    const { get, handled } = await both({ optional: true })(t)
    const upgrade = { upgrade: 'websocket', connection: 'Upgrade' }
    refused(t, await get({ ...crossSite, ...upgrade, ...ALICE_BY_COOKIE }), 403, 'CROSS_SITE')
    t.equal(handled(), 0)
    const own = { origin: 'http://app.example', host: 'app.example' }
    t.same((await get({ ...own, ...upgrade, ...ALICE_BY_COOKIE })).json(), { who: 'alice' })
    t.same((await get({ ...crossSite, ...upgrade, ...BOB_BY_TOKEN })).json(), { who: 'bob' }, 'a token')
  })

  t.test('over a real upgrade, another origin opens no socket with somebody’s cookie', async (t) => {
    const { app, handled } = await both({})(t)
    // As @fastify/websocket does it: the handshake goes through the routes like any other request.
    app.server.on('upgrade', (raw, socket) => {
      const response = new ServerResponse(raw)
      response.assignSocket(socket as Socket)
      response.on('finish', () => socket.end())
      app.routing(raw, response)
    })
    const port = await listen(app)
    const shake = (...headers: string[]) => {
      const upgrade = ['Connection: Upgrade', 'Upgrade: WebSocket', 'X-Cookie: alice']
      return sendRaw(
        port,
        ['GET / HTTP/1.1', `Host: 127.0.0.1:${port}`, ...upgrade, ...headers, '', ''].join('\r\n'),
      )
    }
    for (const header of [
      'Origin: http://evil.example',
      `Origin: http://127.0.0.1:${port + 1}`,
      'Sec-Fetch-Site: same-site',
    ]) {
      const refusal = await shake(header)
      t.match(refusal, /^HTTP\/1\.1 403 .*CROSS_SITE/s, header)
      t.match(refusal, /^connection: close\r$/im, 'no client sends another request on that socket')
    }
    t.equal(handled(), 0)
    t.match(await shake(`Origin: http://127.0.0.1:${port}`), '"who":"alice"')
    t.match(await shake(), '"who":"alice"', 'no browser')
  })

  t.test('holds for modes that answer by promise', async (t) => {
    const modes = [token(), handMadeMode(headerMode('cookie', { ambient: true, promises: true }))]
    const { post, handled } = await guarded(t, (app) => app.guard(), { modes })
    refused(t, await post('/', { ...crossSite, ...ALICE_BY_COOKIE }), 403, 'CROSS_SITE')
    t.equal(handled(), 0)
  })

  t.test('holds where the first guard found nobody', async (t) => {
    const { post, handled } = await guarded(
      t,
      (app) => [app.guard({ optional: true, modes: ['token'] }), app.guard()],
      { modes: [token(), ambient()] },
    )
    refused(t, await post('/', { ...crossSite, ...ALICE_BY_COOKIE }), 403, 'CROSS_SITE')
    t.equal(handled(), 0)
  })

  t.test('with the real modes, over a junk Authorization header', async (t) => {
    const suite = await buildSuite(t, {
      modes: [tokenMode(), cookieMode()],
      identity: { onRefused: 'next' },
    })
    const cookie = cookieHeader(await suite.signIn('cookie'))
    const { token } = (await suite.signIn('token')).json().issued
    for (const authorization of ['Bearer junk', 'Bearer a.b.c', 'Basic YTpi', 'junk']) {
      const answer = await suite.post('/me', { ...crossSite, ...cookie, authorization })
      refused(t, answer, 403, 'CROSS_SITE', authorization)
    }
    const good = await suite.post('/me', { ...crossSite, ...cookie, authorization: `Bearer ${token}` })
    t.equal(good.json().mode, 'token')
    t.equal((await suite.me({ ...crossSite, ...cookie })).statusCode, 200, 'a safe method')
  })
})

t.test('ways around', async (t) => {
  t.test('HEAD, which runs the GET handler, runs its guard too', async (t) => {
    const { app, handled } = await guarded(t, (app) => app.guard(), {
      routes(app) {
        app.get('/onrequest', { onRequest: app.guard() }, async () => 'in')
      },
    })
    for (const url of ['/', '/onrequest']) {
      t.equal((await app.inject({ method: 'HEAD', url })).statusCode, 401)
      t.equal((await app.inject({ method: 'HEAD', url, headers: ALICE_BY_TOKEN })).statusCode, 200)
    }
    t.equal(handled(), 1)
  })

  t.test('another spelling of the path finds the same guard, or nothing', async (t) => {
    const { app } = await guarded(t, (app) => app.guard(), {
      server: { routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } },
      routes(app) {
        app.get('/secret', { preHandler: app.guard() }, async () => 'in')
      },
    })
    for (const url of [
      '/secret',
      '/%73ecret',
      '/secret/',
      '//secret',
      '/secret?x=/',
      '/./secret',
      '/SECRET',
    ]) {
      const { statusCode } = await app.inject(url)
      t.ok(statusCode === 401 || statusCode === 404, `${url}: ${statusCode}`)
    }
  })

  t.test(
    'a guard on the root scope covers the routes of every scope below, and what is not found',
    async (t) => {
      const { app } = await buildSuite(t, {
        modes: [
          token(),
          async (app) => {
            app.addHook('onRequest', app.guard())
          },
        ],
        routes(app) {
          app.register(async (scope) => void scope.get('/below', async () => 'in'))
        },
      })
      for (const url of ['/below', '/nowhere']) refused(t, await app.inject(url), 401, 'NOT_SIGNED_IN')
      t.equal((await app.inject({ url: '/below', headers: BOB_BY_TOKEN })).statusCode, 200)
      t.equal((await app.inject({ url: '/nowhere', headers: BOB_BY_TOKEN })).statusCode, 404)
    },
  )

  t.test('reply.callNotFound keeps the caller, and its guard tests them', async (t) => {
    const { app } = await guarded(t, (app) => app.guard(), {
      routes(app) {
        app.setNotFoundHandler({ preHandler: app.guard({ role: 'admin' }) }, async (request, reply) => {
          reply.code(404)
          return { who: request.identity.username }
        })
        app.get('/gone', { preHandler: app.guard() }, (_request, reply) => reply.callNotFound())
      },
    })
    const get = (headers: Headers) => app.inject({ url: '/gone', headers })
    t.same((await get(ALICE_BY_TOKEN)).json(), { who: 'alice' })
    refused(t, await get(BOB_BY_TOKEN), 403, 'ROLE_REQUIRED')
    refused(t, await app.inject('/nowhere'), 401, 'NOT_SIGNED_IN')
  })

  for (const promises of [false, true]) {
    const kind = promises ? 'a promise' : 'no promise'
    t.test(`what throws after the guard (${kind}) is one 500, and the process lives`, async (t) => {
      const boom = () => {
        throw new Error('boom')
      }
      const { app } = await guarded(t, (app) => app.guard(), {
        modes: [handMadeMode(headerMode('token', { promises }))],
        routes(app) {
          app.get('/handler', { preHandler: app.guard() }, boom)
          app.get('/hook', { preHandler: [app.guard(), boom] }, async () => 'in')
          app.get('/late', { onRequest: app.guard(), preParsing: boom }, async () => 'in')
          app.get('/onsend', { preHandler: app.guard(), onSend: boom }, async () => 'in')
          app.get('/schema', { preHandler: app.guard(), preSerialization: boom }, async () => ({ in: true }))
        },
      })
      for (const url of ['/handler', '/hook', '/late', '/onsend', '/schema']) {
        const answer = await app.inject({ url, headers: ALICE_BY_TOKEN })
        t.equal(answer.statusCode, 500, url)
        t.equal((await app.inject(url)).statusCode, 401, url)
      }
      t.equal((await app.inject({ url: '/', headers: ALICE_BY_TOKEN })).statusCode, 200)
    })
  }

  t.test('a client that left while its mode was asked harms nothing', async (t) => {
    const waiting: (() => void)[] = []
    const inner = headerMode('token')
    const mode = scriptedMode('token', async (request) => {
      if (request.headers['x-wait']) await new Promise<void>((resolve) => waiting.push(resolve))
      return inner.resolve(request)
    })
    const { app, get, handled } = await guarded(t, (app) => app.guard(), { modes: [handMadeMode(mode)] })
    const socket = connect(await listen(app), '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Wait: 1\r\nX-Token: junk\r\n\r\n')
    while (waiting.length === 0) await new Promise(setImmediate)
    socket.destroy()
    await once(socket, 'close')
    for (const release of waiting) release()
    await new Promise(setImmediate)
    t.equal(handled(), 0)
    t.equal((await get(ALICE_BY_TOKEN)).statusCode, 200)
  })

  t.test('a caller’s role is the credential’s, whatever the request says', async (t) => {
    const suite = await buildSuite(t, {
      modes: [cookieMode()],
      routes(app) {
        app.post('/admin', { preHandler: app.guard({ role: 'admin' }) }, async () => 'in')
      },
    })
    const headers = cookieHeader(await suite.signIn('cookie', { account: { ...ALICE, role: 'user' } }))
    const payload = { role: 'admin', identity: { role: 'admin' } }
    refused(t, await suite.post('/admin', { ...headers, role: 'admin' }, payload), 403, 'ROLE_REQUIRED')
  })
})
