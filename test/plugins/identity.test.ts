import { connect } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import csrf from '../../plugins/csrf.js'
import identity from '../../plugins/identity.js'
import type { AuthMode } from '../../plugins/lib/contract.js'
import { CredentialAmbiguous } from '../../plugins/lib/errors.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { listen, sendRaw } from '../helpers/http.js'
import { makeGate } from '../helpers/session-app.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  handMadeMode,
  headerMode,
  refused,
  SECRET,
  START,
  scriptedMode,
  sessionMode,
  tokenMode,
} from '../helpers/suite.js'

const token = () => handMadeMode(headerMode('token'))
const cookie = () => handMadeMode(headerMode('cookie'))

t.test('request.identity', async (t) => {
  t.test('on a route without a guard it is a loud 500, and identityOrNull too', async (t) => {
    const { app } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        app.get('/identity', async (request) => request.identity)
        app.get('/identity_or_null', async (request) => request.identityOrNull)
      },
    })
    for (const name of ['identity', 'identityOrNull']) {
      const url = name === 'identity' ? '/identity' : '/identity_or_null'
      for (const headers of [{}, { 'x-token': 'alice' }]) {
        const response = await app.inject({ url, headers })
        refused(t, response, 500, 'IDENTITY_UNGUARDED', url)
        t.match(response.json().message, `request.${name} was read before an identity guard`)
      }
    }
  })

  t.test('on a route of another scope, and on a 404, it is one as well', async (t) => {
    const { app } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        app.register(async (scope) => {
          scope.addHook('onRequest', app.guard())
          scope.get('/guarded', async (request) => request.identity)
        })
        app.register(async (scope) => {
          scope.get('/unguarded', async (request) => request.identity)
        })
        app.setNotFoundHandler(async (request) => request.identity)
      },
    })
    const headers = { 'x-token': 'alice' }
    t.equal((await app.inject({ url: '/guarded', headers })).statusCode, 200)
    refused(t, await app.inject({ url: '/unguarded', headers }), 500, 'IDENTITY_UNGUARDED')
    refused(t, await app.inject({ url: '/nowhere', headers }), 500, 'IDENTITY_UNGUARDED')
  })

  t.test('in a scope that was there before the suite it is one as well', async (t) => {
    const { app } = await buildSuite(t, {
      modes: [token()],
      before(app) {
        app.register(async (scope) => {
          scope.get('/early', async (request) => request.identity)
        })
      },
    })
    refused(t, await app.inject('/early'), 500, 'IDENTITY_UNGUARDED')
  })

  t.test('is frozen, cannot be replaced, and names the mode', async (t) => {
    const attempts: unknown[] = []
    const { app } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        app.get('/try', { preHandler: app.guard() }, async (request) => {
          for (const attempt of [
            () => Object.assign(request, { identity: null }),
            () => Object.assign(request, { identityOrNull: null }),
            () => Object.assign(request.identity, { role: 'root' }),
            () => Object.assign(request.identity.claims, { more: true }),
          ]) {
            try {
              attempts.push(attempt())
            } catch (error) {
              t.type(error, TypeError)
            }
          }
          return request.identity
        })
      },
    })
    const answer = await app.inject({ url: '/try', headers: { 'x-token': 'alice' } })
    t.equal(attempts.length, 0, 'none of them succeeded')
    t.match(answer.json(), { accountId: ALICE.id, username: 'alice', role: 'admin', mode: 'token' })
  })

  t.test('is frozen even where a mode forgot to', async (t) => {
    const loose = scriptedMode('token', () => ({
      kind: 'identity',
      identity: {
        accountId: 'a',
        username: 'a',
        role: 'user',
        mode: 'token',
        signInId: 's',
        authTime: START,
        claims: {},
      },
    }))
    const { app } = await buildSuite(t, {
      modes: [handMadeMode(loose)],
      routes(app) {
        app.get('/frozen', { preHandler: app.guard() }, async (request) => Object.isFrozen(request.identity))
      },
    })
    t.equal((await app.inject('/frozen')).body, 'true')
  })

  t.test('has the same shape whatever the mode', async (t) => {
    const suite = await buildSuite(t, { modes: [tokenMode(), sessionMode(), cookieMode()] })
    const shapes = []
    for (const mode of ['token', 'session', 'cookie']) {
      const answer = await suite.signIn(mode, { account: BOB })
      const { token } = answer.json().issued
      const headers = token ? { authorization: `Bearer ${token}` } : cookieHeader(answer)
      const { signInId, ...rest } = (await suite.me(headers)).json()
      t.match(signInId, /^[\w-]{22}$/)
      shapes.push(rest)
    }
    const factors = [{ method: 'password', at: START }]
    const same = { accountId: BOB.id, username: 'bob', role: 'user', authTime: START, factors, claims: {} }
    t.strictSame(shapes, [
      { ...same, mode: 'token' },
      { ...same, mode: 'session' },
      { ...same, mode: 'cookie' },
    ])
  })

  t.test('behind an optional guard it throws for nobody, and identityOrNull is null', async (t) => {
    const { app } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        const preHandler = app.guard({ optional: true })
        app.get('/identity', { preHandler }, async (request) => request.identity)
        app.get('/or_null', { preHandler }, async ({ identityOrNull }) => ({ identityOrNull }))
      },
    })
    const response = await app.inject('/identity')
    refused(t, response, 500, 'IDENTITY_UNGUARDED')
    t.match(response.json().message, 'read request.identityOrNull there', 'the guard was not forgotten')
    t.same((await app.inject('/or_null')).json(), { identityOrNull: null })
    const headers = { 'x-token': 'bob' }
    t.equal((await app.inject({ url: '/or_null', headers })).json().identityOrNull.username, 'bob')
  })

  t.test('is null, and no error, in an error handler, onResponse and a 404', async (t) => {
    const answered: unknown[] = []
    const { app, post } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        app.setErrorHandler<Error & { code: string }>((error, request, reply) => {
          reply.code(418).send({ code: error.code, who: request.identityOrNull })
        })
        app.setNotFoundHandler((request, reply) => {
          reply.code(404).send({ who: request.identityOrNull })
        })
        app.addHook('onResponse', async (request) => void answered.push(request.identityOrNull))
        app.get('/admin', { preHandler: app.guard({ role: 'admin' }) }, async () => 'in')
        const body = { type: 'object', required: ['name'] }
        app.post('/guarded', { schema: { body }, preHandler: app.guard() }, async () => 'in')
        const redirect = async (_request: unknown, reply: FastifyReply) => reply.redirect('/elsewhere')
        app.get('/moved', { onRequest: redirect, preHandler: app.guard() }, async () => 'in')
        app.register(async (scope) => {
          scope.addHook('preHandler', app.guard())
          scope.post('/in_scope', { schema: { body } }, async () => 'in')
        })
      },
    })
    const headers = { 'x-token': 'bob' }
    const refusal = await app.inject({ url: '/admin', headers })
    t.same(refusal.json(), { code: 'ROLE_REQUIRED', who: null }, 'the guard refused')
    t.same((await app.inject('/admin')).json(), { code: 'NOT_SIGNED_IN', who: null })
    for (const url of ['/guarded', '/in_scope']) {
      const invalid = await post(url, headers)
      t.same(invalid.json(), { code: 'FST_ERR_VALIDATION', who: null }, `${url}: the guard was not reached`)
    }
    t.same((await app.inject({ url: '/nowhere', headers })).json(), { who: null })
    t.equal((await app.inject('/moved')).statusCode, 302, 'another hook answered before the guard')
    t.strictSame(answered, [null, null, null, null, null, null])
    await app.inject({ url: '/me', headers })
    t.match(answered.pop(), { username: 'bob' }, 'a caller is there until the end')
  })

  t.test('is null, and no error, where the client hung up before the guard ran', async (t) => {
    const [begun, parsed, aborted] = [makeGate(), makeGate(), makeGate()]
    const seen: unknown[] = []
    const { app } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        app.addHook('onRequestAbort', async (request) => {
          aborted.open()
          seen.push(request.identityOrNull)
        })
        const preParsing = async () => {
          begun.open()
          await parsed.opened
        }
        app.post('/guarded', { preParsing, preHandler: app.guard() }, async () => 'in')
      },
    })
    const socket = connect(await listen(app), '127.0.0.1').on('error', () => {})
    socket.write('POST /guarded HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n')
    await begun.opened
    socket.destroy()
    await aborted.opened
    parsed.open()
    t.strictSame(seen, [null])
  })

  t.test('is an error where a route without a guard fails by reading it', async (t) => {
    const seen: unknown[] = []
    const { app } = await buildSuite(t, {
      modes: [token()],
      routes(app) {
        app.get('/open', async (request, reply) => {
          reply.hijack()
          try {
            seen.push(request.identityOrNull)
          } catch (error) {
            seen.push(error)
          }
          reply.raw.end('x')
        })
        app.get('/early', { preHandler: app.guard() }, async () => 'in')
        app.addHook('onRequest', async (request) => {
          if (request.url === '/early') void request.identityOrNull
        })
      },
    })
    await app.inject({ url: '/open', headers: { 'x-token': 'bob' } })
    t.match(seen, [{ code: 'IDENTITY_UNGUARDED' }], 'a hijacked reply, as a socket has it, is not over')
    const early = await app.inject({ url: '/early', headers: { 'x-token': 'bob' } })
    refused(t, early, 500, 'IDENTITY_UNGUARDED', 'a hook before the guard')
  })
})

t.test('a caller never outlives its request', async (t) => {
  const read = (app: FastifyInstance) => {
    app.get('/maybe', { onRequest: app.guard({ optional: true }) }, async (request) => ({
      username: request.identityOrNull?.username ?? null,
    }))
    app.get('/unguarded', async (request) => request.identityOrNull)
  }

  t.test('to the next request on the same connection', async (t) => {
    const { app } = await buildSuite(t, { modes: [token()], routes: read })
    const port = await listen(app)
    const requests = [
      'GET /maybe HTTP/1.1\r\nHost: a\r\nX-Token: alice\r\n\r\n',
      'GET /maybe HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /unguarded HTTP/1.1\r\nHost: a\r\nX-Token: alice\r\n\r\n',
      'GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    ]
    const answer = await sendRaw(port, requests.join(''))
    const bodies = answer.split('\r\n\r\n').slice(1)
    t.match(bodies[0], /^{"username":"alice"}/)
    t.match(bodies[1], /^{"username":null}/)
    t.match(bodies[2], /IDENTITY_UNGUARDED/)
    t.match(bodies[3], /NOT_SIGNED_IN/)
  })

  t.test('to another request that is in flight', async (t) => {
    const waiting: (() => void)[] = []
    const slow = headerMode('token')
    const mode = scriptedMode('token', async (request) => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return slow.resolve(request)
    })
    const { me } = await buildSuite(t, { modes: [handMadeMode(mode)] })
    const answers = ['alice', 'bob', 'nobody', 'alice'].map((name) => me({ 'x-token': name }))
    while (waiting.length < 4) await new Promise(setImmediate)
    for (const release of waiting.reverse()) release()
    const who = (await Promise.all(answers)).map((answer) => answer.json().username ?? answer.json().code)
    t.strictSame(who, ['alice', 'bob', 'CREDENTIAL_INVALID', 'alice'])
  })
})

t.test('the modes are asked in the order of registration', async (t) => {
  const both = { 'x-token': 'alice', 'x-cookie': 'bob' }
  const tokenFirst = await buildSuite(t, { modes: [token(), cookie()] })
  t.equal((await tokenFirst.me(both)).json().username, 'alice')
  t.strictSame(tokenFirst.app.authModes.names, ['token', 'cookie'])
  const cookieFirst = await buildSuite(t, { modes: [cookie(), token()] })
  t.equal((await cookieFirst.me(both)).json().username, 'bob')
  t.strictSame(cookieFirst.app.authModes.names, ['cookie', 'token'])
})

t.test('the order of registration is kept by a guard that names its modes otherwise', async (t) => {
  const { app } = await buildSuite(t, {
    modes: [token(), cookie()],
    routes(app) {
      app.get('/who', { preHandler: app.guard({ modes: ['cookie', 'token'] }) }, async (r) => r.identity)
    },
  })
  const answer = await app.inject({ url: '/who', headers: { 'x-token': 'alice', 'x-cookie': 'bob' } })
  t.equal(answer.json().username, 'alice')
})

t.test('onRefused', async (t) => {
  const headers = { 'x-token': 'junk', 'x-cookie': 'bob' }

  t.test('stop is the default: a bad credential ends the search', async (t) => {
    for (const identity of [{}, { onRefused: 'stop' as const }]) {
      const { me } = await buildSuite(t, { modes: [token(), cookie()], identity })
      refused(t, await me(headers), 401, 'CREDENTIAL_INVALID')
    }
  })

  t.test('next: the other modes are tried', async (t) => {
    const { me } = await buildSuite(t, { modes: [token(), cookie()], identity: { onRefused: 'next' } })
    t.equal((await me(headers)).json().username, 'bob')
  })

  t.test(
    'next: when none recognises the caller, the first refusal in order is the one reported',
    async (t) => {
      const identity = { onRefused: 'next' as const }
      const { me } = await buildSuite(t, { modes: [token(), cookie()], identity })
      refused(t, await me({ 'x-token': 'expired', 'x-cookie': 'junk' }), 401, 'TOKEN_EXPIRED')
      refused(t, await me({ 'x-token': 'junk', 'x-cookie': 'expired' }), 401, 'CREDENTIAL_INVALID')
      const turned = await buildSuite(t, { modes: [cookie(), token()], identity })
      refused(t, await turned.me({ 'x-token': 'expired', 'x-cookie': 'junk' }), 401, 'CREDENTIAL_INVALID')
    },
  )
})

t.test('unauthenticatedStatus', async (t) => {
  for (const status of [401, 403] as const) {
    const { me } = await buildSuite(t, {
      modes: [token()],
      identity: { unauthenticatedStatus: status },
    })
    refused(t, await me(), status, 'NOT_SIGNED_IN')
    refused(t, await me({ 'x-token': 'junk' }), status, 'CREDENTIAL_INVALID')
    refused(t, await me({ 'x-token': 'expired' }), status, 'TOKEN_EXPIRED')
  }
  const byDefault = await buildSuite(t, { modes: [token()] })
  refused(t, await byDefault.me(), 401, 'NOT_SIGNED_IN')
})

t.test('WWW-Authenticate', async (t) => {
  const bearer = () => handMadeMode(headerMode('token', { scheme: 'Bearer' }))
  const challenges = async (
    t: Test,
    modes: ReturnType<typeof token>[],
    headers: Record<string, string>,
    expected: string,
  ) => {
    for (const unauthenticatedStatus of [401, 403] as const) {
      const identity = { unauthenticatedStatus, onRefused: 'next' as const }
      const { me } = await buildSuite(t, { modes, identity })
      const answer = await me(headers)
      t.equal(answer.statusCode, unauthenticatedStatus)
      t.equal(answer.headers['www-authenticate'], expected)
    }
  }

  t.test('without a credential it names the scheme', (t) => challenges(t, [bearer(), cookie()], {}, 'Bearer'))
  t.test('with a refused token it says so', (t) =>
    challenges(t, [bearer(), cookie()], { 'x-token': 'junk' }, 'Bearer error="invalid_token"'),
  )
  t.test('with a refused cookie it says nothing of tokens', (t) =>
    challenges(t, [bearer(), cookie()], { 'x-cookie': 'junk' }, 'Bearer'),
  )
  t.test('where no mode has a scheme there is one all the same', (t) =>
    challenges(t, [cookie()], {}, 'Cookie'),
  )
  t.test('several schemes are listed, one of two modes once', (t) => {
    const key = () => handMadeMode(headerMode('session', { scheme: 'ApiKey' }))
    const other = () => handMadeMode(headerMode('cookie', { scheme: 'Bearer' }))
    return challenges(t, [bearer(), key(), other()], {}, 'Bearer, ApiKey')
  })
})

t.test('a bad option is a refusal at boot', async (t) => {
  const boot = async (options: object) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(csrf)
    app.register(identity, { secrets: [SECRET], ...options })
    await app.ready()
  }
  for (const options of [
    { onRefused: 'Next' },
    { onRefused: true },
    { unauthenticatedStatus: 404 },
    { unauthenticatedStatus: '401' },
    { clock: 5 },
    { secrets: undefined },
    { secrets: [] },
    { secrets: SECRET },
    { secrets: ['short'] },
    { secrets: [SECRET, SECRET] },
  ]) {
    await t.rejects(boot(options), { code: 'OPTION_INVALID' }, JSON.stringify(options))
  }
  await t.resolves(boot({ clock: undefined, onRefused: undefined, unauthenticatedStatus: undefined }))
})

t.test('the registry', async (t) => {
  t.test('refuses two modes of one name', async (t) => {
    const boot = buildSuite(t, { modes: [token(), token()] })
    await t.rejects(boot, { code: 'OPTION_INVALID', message: /token/ })
  })

  t.test('refuses a mode that left something out: without ambient it would go unchecked', async (t) => {
    const whole = headerMode('token')
    for (const part of ['name', 'ambient', 'resolve', 'issue', 'signOut', 'clear'] as const) {
      const mode = { ...whole, [part]: undefined } as unknown as AuthMode
      await t.rejects(buildSuite(t, { modes: [handMadeMode(mode)] }), { code: 'OPTION_INVALID' }, part)
    }
    const unnamed = { ...whole, name: '' } as unknown as AuthMode
    await t.rejects(buildSuite(t, { modes: [handMadeMode(unnamed)] }), { code: 'OPTION_INVALID' })
  })

  t.test('is closed when the application has started', async (t) => {
    const { app } = await buildSuite(t, { modes: [token()] })
    t.throws(() => app.authModes.add(headerMode('cookie')), { code: 'OPTION_INVALID' })
    t.strictSame(app.authModes.names, ['token'])
  })

  t.test('knows no mode by the name of an inherited property', async (t) => {
    const { app } = await buildSuite(t, { modes: [token()] })
    for (const name of ['constructor', '__proto__', 'toString', '']) {
      t.throws(() => app.authModes.get(name as 'token'), { code: 'MODE_UNKNOWN' })
    }
  })
})

t.test('signIn', async (t) => {
  t.test('ends the sign-in of the request’s own credential, once the new one is stored', async (t) => {
    const { store, calls } = faultyStore(createMemoryStore())
    const suite = await buildSuite(t, { modes: [cookieMode()], store })
    const old = cookieHeader(await suite.signIn('cookie'))
    calls.length = 0
    const answer = await suite.signIn('cookie', { account: BOB, headers: old })
    t.ok(calls.indexOf('addSignIn') < calls.indexOf('endSignIn'))
    refused(t, await suite.me(old), 401, 'SIGNED_OUT')
    t.equal((await suite.me(cookieHeader(answer))).json().username, 'bob')
    t.equal((await suite.app.signIns.list(ALICE.id)).length, 0)
    t.equal((await suite.app.signIns.list(BOB.id)).length, 1)
  })

  t.test('ends nothing of another mode', async (t) => {
    const suite = await buildSuite(t, { modes: [tokenMode(), cookieMode()] })
    const cookie = cookieHeader(await suite.signIn('cookie'))
    const pair = (await suite.signIn('token', { headers: cookie })).json().issued
    const token = { authorization: `Bearer ${pair.token}` }
    t.equal((await suite.me(cookie)).statusCode, 200)
    await suite.signIn('cookie', { headers: { ...cookie, ...token } })
    t.equal((await suite.me(token)).statusCode, 200)
    refused(t, await suite.me(cookie), 401, 'SIGNED_OUT')
  })

  t.test('ends nothing for a forged credential, nor for one of somebody else', async (t) => {
    const suite = await buildSuite(t, { modes: [cookieMode()] })
    const good = cookieHeader(await suite.signIn('cookie'))
    const forged = { cookie: `${good.cookie?.slice(0, -1)}_` }
    t.equal((await suite.signIn('cookie', { account: BOB, headers: forged })).statusCode, 200)
    t.equal((await suite.signIn('cookie', { account: BOB })).statusCode, 200)
    t.equal((await suite.me(good)).statusCode, 200)
  })

  t.test('the caller cannot say what it replaces', async (t) => {
    const suite = await buildSuite(t, { modes: [cookieMode()] })
    const first = await suite.signIn('cookie')
    const { signInId } = first.json().issued
    await suite.signIn('cookie', { account: BOB, replaces: { accountId: ALICE.id, signInId } })
    t.equal((await suite.me(cookieHeader(first))).statusCode, 200)
  })

  t.test('when the old one cannot be ended: 503, no Set-Cookie, and the old one is still good', async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const suite = await buildSuite(t, { modes: [cookieMode()], store })
    const old = cookieHeader(await suite.signIn('cookie'))
    failing.add('endSignIn')
    const answer = await suite.signIn('cookie', { headers: old })
    refused(t, answer, 503, 'STORE_UNAVAILABLE')
    t.equal(answer.headers['retry-after'], '1')
    t.equal(answer.headers['set-cookie'], undefined)
    t.notOk(answer.body.includes('issued'))
    failing.clear()
    t.equal((await suite.me(old)).statusCode, 200)
  })

  t.test('when the end fails once, the sign-in that nobody holds is taken back', async (t) => {
    const inner = createMemoryStore()
    let failures = 1
    const store = new Proxy(faultyStore(inner).store, {
      get(target, name) {
        if (name === 'endSignIn' && failures-- > 0) return () => Promise.reject(new Error('a hiccup'))
        return Reflect.get(target, name)
      },
    })
    const suite = await buildSuite(t, { modes: [cookieMode()], store })
    const first = await suite.signIn('cookie')
    t.equal((await suite.signIn('cookie', { headers: cookieHeader(first) })).statusCode, 500)
    const left = await suite.app.signIns.list(ALICE.id)
    t.strictSame(
      left.map(({ id }) => id),
      [first.json().issued.signInId],
    )
  })

  t.test(
    'when the sign-in cannot be stored, or the old one not be judged: 503, and nothing is set',
    async (t) => {
      for (const operation of ['addSignIn', 'generation', 'isLive'] as const) {
        const { store, failing } = faultyStore(createMemoryStore())
        const suite = await buildSuite(t, { modes: [cookieMode()], store })
        const old = cookieHeader(await suite.signIn('cookie'))
        failing.add(operation)
        const answer = await suite.signIn('cookie', { headers: old })
        refused(t, answer, 503, 'STORE_UNAVAILABLE', operation)
        t.equal(answer.headers['set-cookie'], undefined, operation)
        failing.clear()
        t.equal((await suite.me(old)).statusCode, 200, operation)
        t.equal((await suite.app.signIns.list(ALICE.id)).length, 1, operation)
      }
    },
  )

  t.test('a malformed credential stands for no sign-in, and stops none', async (t) => {
    const mode = scriptedMode(
      'token',
      () => {
        throw new CredentialAmbiguous()
      },
      {
        issue: async (_request, _reply, account, options) =>
          ({ issued: { account, options }, signIn: null }) as never,
      },
    )
    const suite = await buildSuite(t, { modes: [handMadeMode(mode)] })
    t.equal((await suite.signIn('token')).statusCode, 200)
    refused(t, await suite.me(), 400, 'CREDENTIAL_AMBIGUOUS')
  })

  t.test('hands the mode the account’s own fields and nothing else', async (t) => {
    const mode = scriptedMode('token', () => ({ kind: 'absent' }), {
      issue: async (_request, _reply, account) =>
        ({ issued: { account, frozen: Object.isFrozen(account) }, signIn: null }) as never,
    })
    const suite = await buildSuite(t, { modes: [handMadeMode(mode)] })
    const { issued } = (await suite.signIn('token')).json()
    t.strictSame(issued, {
      account: { id: ALICE.id, username: 'alice', role: 'admin', epoch: 0 },
      frozen: true,
    })
  })

  t.test('refuses what is no account, and stores nothing', async (t) => {
    const suite = await buildSuite(t, { modes: [cookieMode()] })
    for (const account of [
      { ...ALICE, id: '' },
      { ...ALICE, id: 7.5 },
      { ...ALICE, username: ['alice'] },
      { ...ALICE, role: null },
      { ...ALICE, role: 'r'.repeat(300) },
      { ...ALICE, epoch: -1 },
      { ...ALICE, epoch: '1' },
    ]) {
      const answer = await suite.signIn('cookie', { account: account as unknown as typeof ALICE })
      refused(t, answer, 500, 'OPTION_INVALID', JSON.stringify(account))
      t.equal(answer.headers['set-cookie'], undefined)
    }
    t.equal((await suite.app.signIns.list(ALICE.id)).length, 0)
  })

  t.test('in a hook that runs before the suite’s own is a loud 500, and nothing is stored', async (t) => {
    const suite = await buildSuite(t, {
      modes: [cookieMode()],
      before: (app) =>
        app.addHook('onRequest', async (request) => {
          if (request.method === 'DELETE') await request.signOut('cookie')
          else await request.signIn('cookie', ALICE)
        }),
    })
    const response = await suite.app.inject('/me')
    refused(t, response, 500, 'IDENTITY_UNGUARDED')
    t.match(response.json().message, 'request.signIn', 'which says what was done too early')
    refused(t, await suite.app.inject({ method: 'DELETE', url: '/me' }), 500, 'IDENTITY_UNGUARDED')
    t.equal((await suite.app.signIns.list(ALICE.id)).length, 0)
  })

  t.test('an unknown mode is MODE_UNKNOWN, for signOut too', async (t) => {
    const suite = await buildSuite(t, { modes: [cookieMode()] })
    for (const mode of ['token', 'constructor', '__proto__']) {
      refused(t, await suite.signIn(mode), 500, 'MODE_UNKNOWN', mode)
      refused(t, await suite.signOut(mode), 500, 'MODE_UNKNOWN', mode)
    }
    t.equal((await suite.app.signIns.list(ALICE.id)).length, 0)
  })

  t.test('no cache may keep an answer with a credential, nor that of a sign-out', async (t) => {
    const suite = await buildSuite(t, { modes: [cookieMode()] })
    const answer = await suite.signIn('cookie')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal((await suite.signOut('cookie', cookieHeader(answer))).headers['cache-control'], 'no-store')
  })
})

t.test('signOut says whether there was a genuine credential, and touches no other mode', async (t) => {
  const suite = await buildSuite(t, { modes: [tokenMode(), cookieMode()] })
  const cookie = cookieHeader(await suite.signIn('cookie'))
  const { token } = (await suite.signIn('token')).json().issued
  const headers = { ...cookie, authorization: `Bearer ${token}` }
  t.same((await suite.signOut('cookie', headers)).json(), { ended: true })
  t.equal((await suite.me({ authorization: `Bearer ${token}` })).statusCode, 200)
  refused(t, await suite.me(cookie), 401, 'SIGNED_OUT')
  t.same((await suite.signOut('cookie')).json(), { ended: false })
})
