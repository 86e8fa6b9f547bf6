import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import type { FactorMethod, GivenFactor, ModeName, StepUpOptions } from '../../plugins/lib/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { deviceApp, proofOf } from '../helpers/device-app.js'
import { offersOf } from '../helpers/device-client.js'
import { boundClient } from '../helpers/dpop.js'
import { makeGate, STORES } from '../helpers/session-app.js'
import {
  type AddMode,
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  type Headers,
  refused,
  type SuiteOptions,
  sessionMode,
  tokenMode,
} from '../helpers/suite.js'
import { ALICE as AMY, tokenApp } from '../helpers/token-app.js'

const TWO = 'urn:fastify-identity:factors:2'

const methodsOf = (answer: LightMyRequestResponse): FactorMethod[] =>
  answer.json().factors?.map(({ method }: GivenFactor) => method)

const bearer = (answer: LightMyRequestResponse): Headers => ({
  authorization: `Bearer ${answer.json().issued.token}`,
})

function payloadOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

const contentOf = ({ cookie = '' }: Headers) =>
  JSON.parse(Buffer.from(cookie.split('.')[2] ?? '', 'base64url').toString())

/** With a request to `/slow` that has `started` when its handler runs, and is answered when it may `go`. */
async function slowCookie(t: Test, options: Partial<SuiteOptions> = {}) {
  const [started, go] = [makeGate(), makeGate()]
  const suite = await buildSuite(t, {
    modes: [cookieMode({ ttl: 100, absoluteTtl: 1000 })],
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

t.test('a cookie', async (t) => {
  t.test('has the new times after a step-up, and keeps the others', async (t) => {
    const { signIn, stepUp, me, clock } = await buildSuite(t, {
      modes: [cookieMode({ ttl: 100, rememberTtl: 400, absoluteTtl: 500 })],
    })
    for (const [remember, ttl] of [
      [false, 100],
      [true, 400],
    ] as const) {
      const old = cookieHeader(await signIn('cookie', { remember, claims: { team: 'blue' } }))
      t.notOk('fac' in contentOf(old), 'as in 0.2')
      clock.advance(40)
      const answer = await stepUp(old, ['totp'])
      const strong = cookieHeader(answer)
      const iat = Math.floor(clock.now / 1000)
      const { fac, ...rest } = contentOf(strong)
      t.strictSame(rest, { ...contentOf(old), iat, exp: iat + ttl })
      t.match(fac, /^P[0-9a-z]{6}T[0-9a-z]{6}$/)
      t.equal(answer.cookies[0]?.maxAge, ttl)
      clock.advance(70)
      if (!remember) refused(t, await me(old), 401, 'CREDENTIAL_EXPIRED', 'the old one ends when it said')
      t.equal((await me(strong)).statusCode, 200, 'the record’s idle limit has moved along')
    }
  })

  t.test('never lives past its absolute limit, however often it is stepped up', async (t) => {
    const { signIn, stepUp, me, clock } = await buildSuite(t, {
      modes: [cookieMode({ ttl: 100, absoluteTtl: 250 })],
    })
    let headers = cookieHeader(await signIn('cookie'))
    for (const seconds of [90, 90]) {
      clock.advance(seconds)
      headers = cookieHeader(await stepUp(headers, ['password']))
    }
    clock.advance(69)
    t.equal((await me(headers)).statusCode, 200)
    clock.advance(1)
    refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED')
  })

  t.test('keeps its factors when it is renewed, and the weak copy its own', async (t) => {
    const { signIn, stepUp, me, clock } = await buildSuite(t, { modes: [cookieMode({ ttl: 400 })] })
    const weak = cookieHeader(await signIn('cookie'))
    const strong = cookieHeader(await stepUp(weak, ['totp']))
    clock.advance(200)
    // At once: they share one renewal.
    const answers = await Promise.all([strong, weak, strong, weak].map((headers) => me(headers)))
    const renewed = answers.map((answer) => cookieHeader(answer))
    for (const [index, headers] of renewed.entries()) {
      t.notSame(headers, [strong, weak][index % 2])
      t.strictSame(methodsOf(await me(headers)), index % 2 === 0 ? ['password', 'totp'] : ['password'])
    }
  })

  t.test('two parallel step-ups do not get each other’s factors', async (t) => {
    const { signIn, stepUp, me, app } = await buildSuite(t, { modes: [cookieMode()] })
    const weak = cookieHeader(await signIn('cookie'))
    const [one, two] = await Promise.all([stepUp(weak, ['totp']), stepUp(weak, ['recovery_code'])])
    t.strictSame(methodsOf(await me(cookieHeader(one))), ['password', 'totp'])
    t.strictSame(methodsOf(await me(cookieHeader(two))), ['password', 'recovery_code'])
    t.equal((await app.signIns.list(ALICE.id))[0]?.factors?.length, 3)
  })

  for (const [name, open] of Object.entries(STORES)) {
    t.test(`over ${name}: a late renewal does not take the place of the stronger cookie`, async (t) => {
      const store = await open(t)
      const suite = await slowCookie(t, { store })
      const there = await slowCookie(t, { store, clock: suite.clock })
      const weak = cookieHeader(await suite.signIn('cookie'))
      suite.clock.advance(60)
      for (const { app, started, go } of [suite, there]) {
        const slow = app.inject({ url: '/slow', headers: weak }).then((answer) => answer)
        await started.opened
        const answer = await suite.stepUp(weak, ['totp'])
        t.equal(answer.statusCode, 200)
        go.open()
        t.strictSame((await slow).cookies, [])
      }
    })
  }

  t.test('that is renewed later stays as weak as it was, for whoever has it', async (t) => {
    const { signIn, stepUp, me, clock } = await buildSuite(t, { modes: [cookieMode({ ttl: 200 })] })
    const weak = cookieHeader(await signIn('cookie'))
    await stepUp(weak, ['totp'])
    clock.advance(120)
    const renewed = cookieHeader(await me(weak))
    t.not(renewed.cookie, '')
    t.strictSame(methodsOf(await me(renewed)), ['password'])
  })
})

t.test('a token', async (t) => {
  const build = (t: Test, mode: AddMode = tokenMode()) =>
    buildSuite(t, {
      modes: [mode],
      routes(app) {
        app.post<{ Body: { token: string } }>('/refresh', async (request) => ({
          issued: await app.refreshTokens.refresh(request, request.body.token),
        }))
      },
    })

  t.test('of a password alone has none of the new claims; of others it has amr and acr', async (t) => {
    const { signIn } = await build(t)
    const claims = async (factors?: readonly FactorMethod[]) => {
      const { fac, amr, acr } = payloadOf((await signIn('token', factors && { factors })).json().issued.token)
      return [typeof fac, amr, acr]
    }
    t.strictSame(await claims(), ['undefined', undefined, undefined])
    t.strictSame(await claims(['password']), ['undefined', undefined, undefined])
    t.strictSame(await claims(['external']), ['string', undefined, undefined])
    t.strictSame(await claims(['password', 'totp']), ['string', ['pwd', 'otp', 'mfa'], TWO])
    t.strictSame(await claims(['password', 'recovery_code']), ['string', ['pwd', 'otp', 'mfa'], TWO])
    t.strictSame(await claims(['passkey']), ['string', ['pop', 'user', 'mfa'], TWO])
  })

  t.test('is stepped up by the newest refresh token, which rotates', async (t) => {
    const { signIn, stepUp, me, post, clock, app } = await build(t)
    const first = await signIn('token', { claims: { team: 'blue' } })
    const { refreshToken } = first.json().issued
    clock.advance(60)
    const answer = await stepUp(bearer(first), ['totp'], { refreshToken })
    const { token, refreshToken: next } = answer.json().issued
    t.not(next, refreshToken)
    t.strictSame(payloadOf(token).amr, ['pwd', 'otp', 'mfa'])
    t.equal(payloadOf(token).auth_time, payloadOf(first.json().issued.token).auth_time)
    t.strictSame(methodsOf(await me(bearer(first))), ['password'], 'the old access token stays weak')
    clock.advance(60)
    const later = await post('/refresh', {}, { token: next })
    t.strictSame(methodsOf(await me(bearer(later))), ['password', 'totp'], 'a refresh has them too')
    t.match((await me(bearer(later))).json(), { claims: { team: 'blue' } })
    t.equal((await app.signIns.list(ALICE.id)).length, 1)
  })

  t.test(
    'by no refresh token, or another sign-in’s, is not stepped up, and nothing has changed',
    async (t) => {
      const { signIn, stepUp, app, post } = await build(t)
      const mine = await signIn('token')
      const [other, theirs] = [await signIn('token'), await signIn('token', { account: BOB })]
      const wrong: (StepUpOptions | undefined)[] = [
        undefined,
        {},
        { refreshToken: null },
        { refreshToken: 'junk' },
      ]
      for (const { issued } of [other.json(), theirs.json()])
        wrong.push({ refreshToken: issued.refreshToken })
      wrong.push({ refreshToken: mine.json().issued.token })
      for (const options of wrong) {
        refused(t, await stepUp(bearer(mine), ['totp'], options), 401, 'REFRESH_REFUSED')
      }
      for (const { factors } of await app.signIns.list(ALICE.id)) t.equal(factors?.length, 1)
      t.equal((await app.signIns.list(BOB.id))[0]?.factors?.length, 1)
      for (const { issued } of [mine.json(), other.json(), theirs.json()])
        t.equal(
          (await post('/refresh', {}, { token: issued.refreshToken })).statusCode,
          200,
          'none was spent',
        )
    },
  )

  t.test('by an old refresh token ends its sign-in, as any reuse does', async (t) => {
    const { signIn, stepUp, post, clock, me, app } = await build(t)
    const first = await signIn('token')
    const { refreshToken } = first.json().issued
    const next = await post('/refresh', {}, { token: refreshToken })
    await post('/refresh', {}, { token: next.json().issued.refreshToken })
    clock.advance(60)
    refused(t, await stepUp(bearer(first), ['totp'], { refreshToken }), 401, 'REFRESH_REFUSED')
    refused(t, await me(bearer(first)), 401, 'SIGNED_OUT')
    t.strictSame(await app.signIns.list(ALICE.id), [])
  })

  t.test('a copy of the refresh token does not get what its owner has proved', async (t) => {
    const { signIn, stepUp, post, me, clock } = await build(t)
    const first = await signIn('token')
    const { refreshToken } = first.json().issued
    clock.advance(60)
    const answer = await stepUp(bearer(first), ['totp'], { refreshToken })
    refused(t, await post('/refresh', {}, { token: refreshToken }), 401, 'REFRESH_REFUSED')
    t.equal((await me(bearer(answer))).statusCode, 200, 'no alarm: it may have been under way')
    const again = await stepUp(bearer(first), ['totp'], { refreshToken })
    t.equal(again.statusCode, 200, 'a retry that proves the factor')
    const { refreshToken: next } = answer.json().issued
    const later = await post('/refresh', {}, { token: next })
    t.strictSame(methodsOf(await me(bearer(later))), ['password', 'totp'])
    const retry = await post('/refresh', {}, { token: next })
    t.strictSame(methodsOf(await me(bearer(retry))), ['password', 'totp'], 'a later retry is one')
  })

  t.test('that is stepped up twice at once: one sign-in, and both factors', async (t) => {
    const { signIn, stepUp, me, app } = await build(t)
    const first = await signIn('token')
    const { refreshToken } = first.json().issued
    const answers = await Promise.all(
      (['totp', 'recovery_code'] as const).map((method) => stepUp(bearer(first), [method], { refreshToken })),
    )
    t.strictSame(
      answers.map(({ statusCode }) => statusCode),
      [200, 200],
      'the second is a retry, within the grace',
    )
    for (const answer of answers) t.equal((await me(bearer(answer))).statusCode, 200)
    t.strictSame(
      (await app.signIns.list(ALICE.id))[0]?.factors?.map(({ method }) => method),
      ['password', 'totp', 'recovery_code'],
    )
  })

  t.test('with many claims and all factors is still accepted', async (t) => {
    const { signIn, me } = await build(t, tokenMode({ issuer: 'i'.repeat(200), audience: 'a'.repeat(200) }))
    const factors = ['password', 'external', 'totp', 'recovery_code', 'passkey'] as const
    for (let length = 1300; length < 1700; length += 5) {
      const answer = await signIn('token', { factors, claims: { text: 'x'.repeat(length) } })
      if (answer.statusCode === 500) return t.equal(answer.json().code, 'CLAIM_INVALID')
      t.equal((await me(bearer(answer))).statusCode, 200, `${length}`)
    }
    return t.fail('there is no limit')
  })
})

t.test('a cookie with many claims and all factors is still accepted', async (t) => {
  const { signIn, me } = await buildSuite(t, { modes: [cookieMode()] })
  const factors = ['password', 'external', 'totp', 'recovery_code', 'passkey'] as const
  for (let length = 2300; length < 2600; length += 5) {
    const answer = await signIn('cookie', { factors, claims: { text: 'x'.repeat(length) } })
    if (answer.statusCode === 500) return t.equal(answer.json().code, 'CLAIM_INVALID')
    t.equal((await me(cookieHeader(answer))).statusCode, 200, `${length}`)
  }
  return t.fail('there is no limit')
})

t.test('sign-ins that are bound to a device', async (t) => {
  for (const mode of ['cookie', 'session'] as const satisfies ModeName[]) {
    t.test(`${mode}: stay bound through a step-up`, async (t) => {
      const { bound, clock, withCookies, records } = await deviceApp(t)
      const client = await bound(mode)
      clock.advance(80)
      t.equal((await client.get('/me')).statusCode, 200)
      const answer = await client.post('/step_up', { factors: ['totp'] })
      t.equal(answer.statusCode, 200)
      t.strictSame(methodsOf(await client.get('/me')), ['password', 'totp'])
      const copied = client
        .cookies()
        .split('; ')
        .filter((pair) => !pair.startsWith(proofOf(mode)))
        .join('; ')
      refused(t, await withCookies(copied), 403, 'DEVICE_PROOF_REQUIRED', 'the stronger cookie alone')
      clock.advance(3000)
      t.strictSame(methodsOf(await client.get('/me')), ['password', 'totp'], 'it is proved again')
      t.match(await records(), [{ mode, factors: [{ method: 'password' }, { method: 'totp' }] }])
    })

    t.test(`${mode}: are bound after a step-up that came before their registration`, async (t) => {
      const { browser, signIn, clock, withCookies } = await deviceApp(t)
      const client = browser()
      client.registers = false
      const offered = await signIn(client, mode)
      await client.post('/step_up', { factors: ['totp'] })
      for (const offer of offersOf(offered)) t.equal((await client.register(offer)).statusCode, 200)
      clock.advance(80)
      t.strictSame(methodsOf(await client.get('/me')), ['password', 'totp'])
      const copied = client
        .cookies()
        .split('; ')
        .filter((pair) => !pair.startsWith(proofOf(mode)))
        .join('; ')
      refused(t, await withCookies(copied), 403, 'DEVICE_PROOF_REQUIRED')
    })

    t.test(`${mode}: a copied cookie steps nothing up`, async (t) => {
      const { bound, clock, app, records } = await deviceApp(t)
      const client = await bound(mode)
      clock.advance(80)
      await client.get('/me')
      const cookie = client
        .cookies()
        .split('; ')
        .filter((pair) => !pair.startsWith(proofOf(mode)))
        .join('; ')
      const payload = { factors: ['totp'] }
      const answer = await app.inject({ method: 'POST', url: '/step_up', headers: { cookie }, payload })
      refused(t, answer, 403, 'DEVICE_PROOF_REQUIRED')
      t.equal((await records())[0]?.factors?.length, 1)
    })
  }

  t.test('session: the old id of a bound session needs the proof as well', async (t) => {
    const { bound, clock, withCookies } = await deviceApp(t)
    const client = await bound('session')
    clock.advance(80)
    await client.get('/me')
    const old =
      client
        .cookies()
        .split('; ')
        .find((pair) => pair.startsWith('__Host-session=')) ?? ''
    await client.post('/step_up', { factors: ['totp'] })
    refused(t, await withCookies(old), 403, 'DEVICE_PROOF_REQUIRED')
    const proof =
      client
        .cookies()
        .split('; ')
        .find((pair) => pair.startsWith(proofOf('session'))) ?? ''
    t.strictSame(methodsOf(await withCookies(`${old}; ${proof}`)), ['password'])
  })
})

t.test('tokens that are bound to a key', async (t) => {
  const started = async (t: Test) => {
    const context = await tokenApp(t, {
      token: { dpop: { origins: ['https://example.com'] } },
      after: async (app: FastifyInstance) => {
        app.post<{ Body: { refreshToken: string } }>('/step_up', { preHandler: app.guard() }, (request) =>
          request.stepUp(['totp'], { refreshToken: request.body.refreshToken }),
        )
      },
    })
    const client = boundClient(context.app)
    const pair = await client.login(AMY)
    const stepUp = (other = client, proof = {}) =>
      other.send('POST', '/step_up', {
        token: pair.token,
        payload: { refreshToken: pair.refreshToken },
        proof,
      })
    return { ...context, client, pair, stepUp }
  }

  t.test('stay bound through a step-up, by one proof', async (t) => {
    const { client, stepUp, me } = await started(t)
    const answer = await stepUp()
    t.equal(answer.statusCode, 200, answer.body)
    const next = answer.json()
    t.equal(next.tokenType, 'DPoP')
    t.strictSame(methodsOf(await client.me(next.token)), ['password', 'totp'])
    refused(t, await me(next.token), 401, 'TOKEN_INVALID', 'as a bearer token')
    t.equal((await client.refresh(next.refreshToken)).statusCode, 200)
  })

  t.test('are not stepped up by another key', async (t) => {
    const { app, stepUp, client, pair } = await started(t)
    const thief = boundClient(app)
    t.equal((await stepUp(thief)).statusCode, 401)
    t.equal((await app.signIns.list(AMY.id))[0]?.factors?.length, 1)
    t.equal((await client.refresh(pair.refreshToken)).statusCode, 200)
  })
})

t.test('who may step up', async (t) => {
  t.test('nobody without a guard before, and nobody whom the guard did not find', async (t) => {
    const { app } = await buildSuite(t, {
      modes: [sessionMode(), cookieMode()],
      routes(app) {
        app.post('/open', async (request) => request.stepUp(['totp']))
        app.post('/optional', { preHandler: app.guard({ optional: true }) }, async (request) =>
          request.stepUp(['totp']),
        )
      },
    })
    for (const url of ['/open', '/optional'])
      refused(t, await app.inject({ method: 'POST', url }), 500, 'IDENTITY_UNGUARDED', url)
  })

  t.test('the caller of the guard, whatever other credentials are beside', async (t) => {
    const { signIn, app } = await buildSuite(t, { modes: [sessionMode(), cookieMode()] })
    const session = cookieHeader(await signIn('session'))
    const other = cookieHeader(await signIn('cookie', { account: BOB }))
    const headers = { cookie: `${session.cookie}; ${other.cookie}` }
    const answer = await app.inject({
      method: 'POST',
      url: '/step_up',
      headers,
      payload: { factors: ['totp'] },
    })
    t.strictSame(
      answer.cookies.map(({ name }) => name),
      ['session'],
    )
    t.equal((await app.signIns.list(ALICE.id))[0]?.factors?.length, 2)
    t.equal((await app.signIns.list(BOB.id))[0]?.factors?.length, 1)
  })

  t.test('only from the same site, where a browser sends the credential unasked', async (t) => {
    const { signIn, app, me } = await buildSuite(t, { modes: [sessionMode(), cookieMode()] })
    for (const mode of ['session', 'cookie']) {
      const own = cookieHeader(await signIn(mode))
      const headers = { ...own, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
      const payload = { factors: ['totp'] }
      refused(t, await app.inject({ method: 'POST', url: '/step_up', headers, payload }), 403, 'CROSS_SITE')
      t.strictSame(methodsOf(await me(own)), ['password'])
    }
  })
})

t.test('a step-up is an audit event, with the methods and nothing else', async (t) => {
  const { signIn, stepUp, app, me } = await buildSuite(t, { modes: [cookieMode()] })
  const headers = cookieHeader(await signIn('cookie'))
  const events: object[] = []
  app.audit.subscribe(({ time: _time, ip: _ip, ...event }) => void events.push(event))
  await stepUp(headers, ['totp', { method: 'password', at: 1000 }])
  const { signInId } = (await me(headers)).json()
  const about = { accountId: ALICE.id, signInId, mode: 'cookie' }
  t.strictSame(events, [{ type: 'stepped_up', ...about, factors: ['password', 'totp'] }])
})

t.test(
  'request.identity stays as it was, and signing out in the same request ends the sign-in',
  async (t) => {
    const store = createMemoryStore()
    const { signIn, app, post, me } = await buildSuite(t, {
      modes: [cookieMode(), sessionMode()],
      store,
      routes(app) {
        app.post('/both', { preHandler: app.guard() }, async (request) => {
          await request.stepUp(['totp'])
          const { factors, mode } = request.identity
          return { factors, ended: await request.signOut(mode) }
        })
      },
    })
    for (const mode of ['cookie', 'session']) {
      const headers = cookieHeader(await signIn(mode))
      const answer = await post('/both', headers)
      t.match(answer.json(), { factors: [{ method: 'password' }], ended: true })
      t.notMatch(String(answer.headers['set-cookie']), /=v1/)
      refused(t, await me(headers), 401, 'SIGNED_OUT')
      t.strictSame(await app.signIns.list(ALICE.id), [])
    }
  },
)
