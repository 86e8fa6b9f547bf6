import fastifyCookie from '@fastify/cookie'
import t from 'tap'
import type { CookieAuthOptions } from '../../plugins/cookie-auth.js'
import type { CookiePayload } from '../../plugins/lib/cookie/seal.js'
import { sealCookie } from '../../plugins/lib/cookie/seal.js'
import { createKeyRing, type Purpose } from '../../plugins/lib/credentials/keys.js'
import { signValue } from '../../plugins/lib/credentials/signed-value.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { listen, sendRaw } from '../helpers/http.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  NEXT_SECRET,
  refused,
  SECRET,
  START,
  sessionMode,
  TestClock,
} from '../helpers/suite.js'

const cookieApp = (
  t: Parameters<typeof buildSuite>[0],
  options: Partial<Parameters<typeof buildSuite>[1]> = {},
  cookie: CookieAuthOptions = {},
) => buildSuite(t, { modes: [cookieMode(cookie)], ...options })

/** The attributes of the one `Set-Cookie` of an answer, without name and value. */
function attributesOf(answer: { headers: Record<string, unknown> }): string[] {
  const header = String(answer.headers['set-cookie'])
  return header
    .split(';')
    .slice(1)
    .map((part) => part.trim())
    .sort()
}

function cookieValue(answer: { cookies: { value: string }[] }): string {
  return answer.cookies[0]?.value ?? ''
}

function payloadOf(value: string) {
  return JSON.parse(Buffer.from(value.split('.')[2] ?? '', 'base64url').toString())
}

const seconds = (ms: number) => Math.floor(ms / 1000)

t.test('the cookie’s attributes', async (t) => {
  t.test('over http: HttpOnly, SameSite=Lax, Path=/ and Max-Age, nothing else', async (t) => {
    const { signIn } = await cookieApp(t)
    const answer = await signIn('cookie')
    t.equal(answer.statusCode, 200)
    t.equal(answer.cookies.length, 1)
    t.equal(answer.cookies[0]?.name, 'identity')
    t.strictSame(attributesOf(answer), ['HttpOnly', 'Max-Age=3600', 'Path=/', 'SameSite=Lax'])
  })

  t.test('secure: Secure, and the __Host- prefix; this is the default', async (t) => {
    for (const cookie of [{ secure: true }, { secure: undefined }]) {
      const { signIn, me } = await cookieApp(t, {}, cookie)
      const answer = await signIn('cookie')
      t.equal(answer.cookies[0]?.name, '__Host-identity')
      t.strictSame(attributesOf(answer), ['HttpOnly', 'Max-Age=3600', 'Path=/', 'SameSite=Lax', 'Secure'])
      t.equal((await me(cookieHeader(answer))).statusCode, 200)
      t.equal(
        (await me({ cookie: `identity=${cookieValue(answer)}` })).statusCode,
        401,
        'not without the prefix',
      )
    }
  })

  t.test('remember: Max-Age is REMEMBER_TTL, and the server agrees', async (t) => {
    const { signIn, me, clock } = await cookieApp(t)
    const answer = await signIn('cookie', { remember: true })
    t.strictSame(attributesOf(answer), ['HttpOnly', 'Max-Age=604800', 'Path=/', 'SameSite=Lax'])
    t.equal(answer.json().issued.expiresIn, 604_800)
    clock.advance(604_799)
    t.equal((await me(cookieHeader(answer))).statusCode, 200)
    clock.advance(1)
    refused(t, await me(cookieHeader(answer)), 401, 'CREDENTIAL_EXPIRED')
  })

  t.test('only true remembers', async (t) => {
    const { signIn } = await cookieApp(t)
    for (const remember of [false, undefined, 'yes', 1] as unknown as boolean[]) {
      t.equal((await signIn('cookie', { remember })).json().issued.expiresIn, 3600)
    }
  })

  t.test('lifetimes and name are options, and none is longer than the absolute limit', async (t) => {
    const options = { name: 'me', ttl: 60, rememberTtl: 900, absoluteTtl: 600 }
    const { signIn } = await cookieApp(t, {}, options)
    const answer = await signIn('cookie')
    t.equal(answer.cookies[0]?.name, 'me')
    t.equal(answer.cookies[0]?.maxAge, 60)
    t.equal((await signIn('cookie', { remember: true })).cookies[0]?.maxAge, 600)
  })
})

t.test('a bad option is a refusal at boot', async (t) => {
  for (const options of [
    { ttl: 0 },
    { ttl: -1 },
    { ttl: 1.5 },
    { ttl: Number.NaN },
    { ttl: Number.POSITIVE_INFINITY },
    { ttl: '3600' },
    { rememberTtl: 0 },
    { absoluteTtl: 1e12 },
    { name: '' },
    { name: 'a b' },
    { name: 'a;Domain=evil.example' },
    { name: '__Host-identity' },
    { secure: 'auto' },
    { secure: 1 },
  ]) {
    const boot = cookieApp(t, {}, options as CookieAuthOptions)
    await t.rejects(boot, { code: 'OPTION_INVALID' }, JSON.stringify(options))
  }
})

t.test('the expiry is checked by the server, at the exact boundary', async (t) => {
  const { signIn, me, clock } = await cookieApp(t)
  const headers = cookieHeader(await signIn('cookie'))
  clock.now = START + 3_600_000 - 1
  t.equal((await me(headers)).statusCode, 200)
  clock.now = START + 3_600_000
  refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED')
  clock.now = Number.NaN
  refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED', 'a clock without a time')
})

t.test('a use does not move the expiry of the cookie that was sent', async (t) => {
  const { signIn, me, clock } = await cookieApp(t)
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(1799)
  t.equal((await me(headers)).headers['set-cookie'], undefined, 'nor is another one set in its first half')
  clock.advance(1800)
  t.equal((await me(headers)).statusCode, 200)
  clock.advance(1)
  refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED')
})

t.test('the payload', async (t) => {
  t.test('holds the documented fields and nothing else', async (t) => {
    const { signIn, app, store } = await cookieApp(t)
    const answer = await signIn('cookie', { account: { ...BOB, epoch: 3 } })
    const [record] = await app.signIns.list(BOB.id)
    const payload = payloadOf(cookieValue(answer))
    t.strictSame(payload, {
      v: 1,
      remember: false,
      sub: BOB.id,
      username: 'bob',
      role: 'user',
      epoch: 3,
      gen: await store.generation(),
      sid: record?.id,
      auth_time: seconds(START),
      iat: seconds(START),
      exp: seconds(START) + 3600,
    })
    t.same(answer.json().issued, { signInId: record?.id, expiresIn: 3600 })
  })

  t.test('has nothing of what the application’s row holds beside', async (t) => {
    const { signIn } = await cookieApp(t)
    const answer = await signIn('cookie', { account: ALICE })
    const decoded = Buffer.from(cookieValue(answer).split('.')[2] ?? '', 'base64url').toString()
    for (const text of [decoded, answer.body, String(answer.headers['set-cookie'])]) {
      t.notMatch(text, /argon2id|password/)
    }
  })

  t.test('carries claims, and request.identity shows them, frozen all the way down', async (t) => {
    const { signIn, app } = await cookieApp(t, {
      routes(app) {
        app.get('/claims', { preHandler: app.guard() }, async ({ identity: { claims } }) => ({
          claims,
          frozen: Object.isFrozen(claims) && Object.isFrozen(claims.team),
        }))
      },
    })
    const claims = { team: { id: 7, tags: ['a'] }, beta: true }
    const headers = cookieHeader(await signIn('cookie', { claims }))
    t.strictSame((await app.inject({ url: '/claims', headers })).json(), { claims, frozen: true })
  })

  t.test('a claim that must not travel is refused, and nothing is stored or set', async (t) => {
    const { signIn, app } = await cookieApp(t)
    const before = cookieHeader(await signIn('cookie'))
    for (const [claims, code] of [
      [{ password: 'x' }, 'CLAIM_SENSITIVE'],
      [{ nested: { cardNumber: '4111' } }, 'CLAIM_SENSITIVE'],
      [{ list: [{ phone: '1' }] }, 'CLAIM_SENSITIVE'],
      [['a'], 'CLAIM_INVALID'],
      ['text', 'CLAIM_INVALID'],
      [{ long: 'x'.repeat(3000) }, 'CLAIM_INVALID'],
    ] as const) {
      const answer = await signIn('cookie', { claims: claims as never, headers: before })
      refused(t, answer, 500, code, JSON.stringify(claims).slice(0, 40))
      t.equal(answer.headers['set-cookie'], undefined)
    }
    t.equal((await app.signIns.list(ALICE.id)).length, 1, 'only the one from before, which was not ended')
  })

  t.test('the largest that is issued is recognised, and fits what a browser keeps', async (t) => {
    const { signIn, me } = await cookieApp(t, {}, { secure: true })
    const account = {
      id: 'i'.repeat(256),
      username: 'ü'.repeat(100),
      role: 'r'.repeat(256),
      epoch: 2 ** 53 - 1,
    }
    const size = (length: number) =>
      signIn('cookie', { account, claims: { x: 'x'.repeat(length) }, remember: true })
    let length = 1000
    while ((await size(length + 16)).statusCode === 200) length += 16
    t.ok(length > 1500, `${length} bytes of claims`)
    const answer = await size(length)
    t.equal((await me(cookieHeader(answer))).statusCode, 200)
    t.ok(String(answer.headers['set-cookie']).length <= 4096)
  })
})

t.test('what is no cookie of ours', async (t) => {
  const suite = await cookieApp(t)
  const good = cookieValue(await suite.signIn('cookie'))
  const other = cookieValue(await suite.signIn('cookie', { account: BOB }))
  const [version, keyId, payload, mac] = good.split('.')
  const [, , otherPayload, otherMac] = other.split('.')
  const ring = createKeyRing([SECRET])
  const stranger = createKeyRing([NEXT_SECRET])
  const content: CookiePayload = payloadOf(good)
  const admin = Buffer.from(JSON.stringify({ ...content, sub: BOB.id, role: 'admin' })).toString('base64url')
  const sealed = (fields: object, purpose: Purpose = 'cookie', keys = ring) =>
    sealCookie(keys.purpose(purpose), { ...content, ...fields })
  const genuinely = (text: string) =>
    signValue(ring.purpose('cookie'), Buffer.from(text).toString('base64url'))

  const invalid: Record<string, string> = {
    empty: '',
    'the name alone': 'identity',
    'a number': '123456',
    'another payload under the same MAC': [version, keyId, admin, mac].join('.'),
    'the payload of somebody else': [version, keyId, otherPayload, mac].join('.'),
    'the MAC of somebody else': [version, keyId, payload, otherMac].join('.'),
    'no MAC': [version, keyId, payload, ''].join('.'),
    'without the MAC': [version, keyId, payload].join('.'),
    'one character less': good.slice(0, -1),
    'one character more': `${good}A`,
    'half of it': good.slice(0, good.length / 2),
    'another spelling of the MAC': `${good.slice(0, -1)}${twin(good.slice(-1))}`,
    'another version': good.replace(/^v1/, 'v2'),
    'an unknown key id': [version, 'AAAAAAAA', payload, mac].join('.'),
    'another ring': sealed({}, 'cookie', stranger),
    'for a session': sealed({}, 'session-id'),
    'for a token': sealed({}, 'access-token'),
    'for a refresh': sealed({}, 'refresh-token'),
    '%-encoded': good.replaceAll('.', '%2E'),
    '%-encoded in one place': `%76${good.slice(1)}`,
    quoted: `"${good}"`,
    'in capitals': good.toUpperCase(),
    oversized: `${good}${'A'.repeat(8000)}`,
    'oversized and genuine': signValue(ring.purpose('cookie'), 'A'.repeat(4000)),
    'genuine, and no JSON': genuinely('user_id=123456'),
    'genuine, and no object': genuinely('[]'),
    'genuine, with null': genuinely('null'),
    'genuine, of another version': sealed({ v: 2 }),
    'genuine, with a field too many': sealed({ more: 1 }),
    'genuine, with __proto__': genuinely(`{"__proto__":${JSON.stringify(content)}}`),
    'genuine, without an expiry': genuinely(JSON.stringify({ ...content, exp: undefined })),
    'genuine, that never expires': genuinely(JSON.stringify(content).replace(/"exp":\d+/, '"exp":1e400')),
    'genuine, expiring as text': genuinely(JSON.stringify({ ...content, exp: '9999999999' })),
    'genuine, for an object': genuinely(JSON.stringify({ ...content, sub: {} })),
    'genuine, for nobody': genuinely(JSON.stringify({ ...content, sub: '' })),
  }

  for (const [name, value] of Object.entries(invalid)) {
    t.test(`${name} is CREDENTIAL_INVALID`, async (t) => {
      refused(t, await suite.me({ cookie: `identity=${value}` }), 401, 'CREDENTIAL_INVALID')
    })
  }

  t.test('two of one name are none, even the same one twice', async (t) => {
    const pair = `identity=${good}`
    for (const cookie of [
      `${pair}; ${pair}`,
      `${pair}; identity=junk`,
      `identity=junk; ${pair}`,
      `identity=; ${pair}`,
      `${pair};identity`.concat('=x'),
    ]) {
      refused(t, await suite.me({ cookie }), 401, 'CREDENTIAL_INVALID', cookie.slice(-40))
    }
  })

  t.test('two Cookie lines on the wire are two cookies', async (t) => {
    const port = await listen((await cookieApp(t)).app)
    const line = `Cookie: identity=${good}\r\n`
    const answer = await sendRaw(
      port,
      `GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${line}${line}\r\n`,
    )
    t.match(answer, /^HTTP\/1\.1 401 /)
    t.match(answer, /CREDENTIAL_INVALID/)
  })

  t.test('a hand-written user_id=123456 is no credential at all', async (t) => {
    for (const cookie of [
      'user_id=123456',
      `user_id=${ALICE.id}`,
      `Identity=${good}`,
      `xidentity=${good}`,
      `identity2=${good}`,
      `a=identity=${good}`,
      'identity',
    ]) {
      refused(t, await suite.me({ cookie }), 401, 'NOT_SIGNED_IN', cookie.slice(0, 30))
    }
  })

  t.test('a no-break space before the name makes it another cookie', async (t) => {
    const secure = await cookieApp(t, {}, { secure: true })
    const own = cookieValue(await secure.signIn('cookie'))
    const planted = { cookie: `\u00a0__Host-identity=${own}` }
    refused(t, await secure.me(planted), 401, 'NOT_SIGNED_IN')
  })

  t.test('the victim’s good cookie is still good, among other cookies too', async (t) => {
    t.equal((await suite.me({ cookie: `identity=${good}` })).json().username, 'alice')
    const among = `theme=dark; identity=${good} ;identity2=junk; user_id=123456`
    t.equal((await suite.me({ cookie: among })).json().username, 'alice')
    t.equal((await suite.app.signIns.list(ALICE.id)).length, 1)
  })

  t.test('a genuine cookie past its time is refused as that, before any store is asked', async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const clock = new TestClock()
    const late = await cookieApp(t, { store, clock })
    const headers = cookieHeader(await late.signIn('cookie'))
    clock.advance(3600)
    failing.add('isLive')
    refused(t, await late.me(headers), 401, 'CREDENTIAL_EXPIRED')
  })

  t.test('a forgery reaches no store', async (t) => {
    const { store, calls } = faultyStore(createMemoryStore())
    const { me } = await cookieApp(t, { store })
    await me({ cookie: `identity=${sealed({}, 'cookie', stranger)}` })
    t.strictSame(calls, [])
  })
})

/** A character that base64url decodes to the same bytes at the end of 32: it differs in unused bits. */
function twin(last: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(last) ^ 1] ?? ''
}

t.test('a session’s cookie under the name of an auth cookie is none, and the other way round', async (t) => {
  const suite = await buildSuite(t, { modes: [sessionMode(), cookieMode()] })
  const session = cookieValue(await suite.signIn('session'))
  const cookie = cookieValue(await suite.signIn('cookie'))
  refused(t, await suite.me({ cookie: `identity=${session}` }), 401, 'CREDENTIAL_INVALID')
  refused(t, await suite.me({ cookie: `session=${cookie}` }), 401, 'CREDENTIAL_INVALID')
  t.equal((await suite.me({ cookie: `session=${session}` })).json().mode, 'session')
  t.equal((await suite.me({ cookie: `identity=${cookie}` })).json().mode, 'cookie')
})

t.test('rotating the secrets in three steps signs nobody out', async (t) => {
  const store = createMemoryStore()
  const withSecrets = (...secrets: string[]) => cookieApp(t, { store, identity: { secrets } })
  const steps = [
    await withSecrets(SECRET),
    await withSecrets(SECRET, NEXT_SECRET),
    await withSecrets(NEXT_SECRET, SECRET),
    await withSecrets(NEXT_SECRET),
  ]
  for (const [index, issuer] of steps.entries()) {
    const headers = cookieHeader(await issuer.signIn('cookie'))
    for (const neighbour of steps.slice(Math.max(0, index - 1), index + 2)) {
      t.equal((await neighbour.me(headers)).statusCode, 200)
    }
    t.equal((await steps[1]?.me(headers))?.statusCode, 200)
    t.equal((await steps[2]?.me(headers))?.statusCode, 200)
  }
  const [first, , , last] = steps
  refused(
    t,
    (await last?.me(cookieHeader((await first?.signIn('cookie')) as never))) as never,
    401,
    'CREDENTIAL_INVALID',
  )
})

t.test('signing out', async (t) => {
  t.test('ends the sign-in, and clears the cookie with the attributes it was set with', async (t) => {
    for (const secure of [false, true]) {
      const { signIn, signOut, me, app } = await cookieApp(t, {}, { secure })
      const headers = cookieHeader(await signIn('cookie'))
      const answer = await signOut('cookie', headers)
      t.same(answer.json(), { ended: true })
      t.equal(answer.cookies[0]?.name, secure ? '__Host-identity' : 'identity')
      t.equal(answer.cookies[0]?.value, '')
      t.strictSame(attributesOf(answer), [
        'Expires=Thu, 01 Jan 1970 00:00:00 GMT',
        'HttpOnly',
        'Max-Age=0',
        'Path=/',
        'SameSite=Lax',
        ...(secure ? ['Secure'] : []),
      ])
      refused(t, await me(headers), 401, 'SIGNED_OUT')
      t.equal((await app.signIns.list(ALICE.id)).length, 0)
    }
  })

  t.test('twice, or without a cookie, does nothing more', async (t) => {
    const { signIn, signOut, me } = await cookieApp(t)
    const headers = cookieHeader(await signIn('cookie'))
    const others = cookieHeader(await signIn('cookie'))
    for (let times = 0; times < 3; times += 1) {
      t.equal((await signOut('cookie', headers)).statusCode, 200)
      refused(t, await me(headers), 401, 'SIGNED_OUT')
    }
    const without = await signOut('cookie')
    t.same(without.json(), { ended: false })
    t.equal(without.headers['set-cookie'], undefined, 'there is nothing to clear')
    t.equal((await me(others)).statusCode, 200)
  })

  t.test('with a forgery, or two, ends nothing and clears what came', async (t) => {
    const { signIn, signOut, me } = await cookieApp(t)
    const { cookie = '' } = cookieHeader(await signIn('cookie'))
    for (const bad of ['identity=junk', `${cookie}x`, `${cookie}; ${cookie}`]) {
      const answer = await signOut('cookie', { cookie: bad })
      t.same(answer.json(), { ended: false })
      t.equal(answer.cookies[0]?.maxAge, 0)
    }
    t.equal((await me({ cookie })).statusCode, 200)
  })

  t.test('with a genuine cookie past its time ends its sign-in all the same', async (t) => {
    const { store, calls } = faultyStore(createMemoryStore())
    const { signIn, signOut, me, clock } = await cookieApp(t, { store })
    const headers = cookieHeader(await signIn('cookie'))
    clock.advance(3600)
    calls.length = 0
    t.same((await signOut('cookie', headers)).json(), { ended: true })
    t.ok(calls.includes('endSignIn'))
    clock.now = START
    refused(t, await me(headers), 401, 'SIGNED_OUT', 'even where the clock goes back')
  })

  t.test('that cannot be stored is 503, clears nothing, and the cookie is still good', async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const { signIn, signOut, me } = await cookieApp(t, { store })
    const headers = cookieHeader(await signIn('cookie'))
    failing.add('endSignIn')
    const answer = await signOut('cookie', headers)
    refused(t, answer, 503, 'STORE_UNAVAILABLE')
    t.equal(answer.headers['set-cookie'], undefined)
    failing.clear()
    t.equal((await me(headers)).statusCode, 200)
  })
})

t.test('a sign-in that was ended elsewhere', async (t) => {
  for (const promises of [false, true]) {
    const { store } = faultyStore(createMemoryStore(), { promises })
    const { signIn, me, app } = await cookieApp(t, { store })
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => signIn('cookie')))
    if (!first || !second || !third) return
    const idOf = (answer: typeof first): string => answer.json().issued.signInId
    await app.signIns.end({ accountId: ALICE.id, signInId: idOf(first) })
    refused(t, await me(cookieHeader(first)), 401, 'SIGNED_OUT')
    t.equal(await app.signIns.endAll(ALICE.id, idOf(third)), 1)
    refused(t, await me(cookieHeader(second)), 401, 'SIGNED_OUT')
    t.equal((await me(cookieHeader(third))).statusCode, 200)
    await store.raiseEpoch(ALICE.id, 1, idOf(third), START + 3_600_000)
    t.equal((await me(cookieHeader(third))).statusCode, 200, 'spared by a raised epoch')
    await store.raiseEpoch(ALICE.id, 2, null, START + 3_600_000)
    refused(t, await me(cookieHeader(third)), 401, 'SIGNED_OUT', 'not spared')
  }
})

t.test('when the revocation list was lost, what came before is refused', async (t) => {
  const before = await cookieApp(t)
  const headers = cookieHeader(await before.signIn('cookie'))
  const after = await cookieApp(t, { store: createMemoryStore() })
  refused(t, await after.me(headers), 401, 'SIGNED_OUT')
  t.equal((await after.me(cookieHeader(await after.signIn('cookie')))).statusCode, 200)
})

t.test('a store that cannot answer is 503, not a sign-out', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore())
  const { signIn, me } = await cookieApp(t, { store })
  const headers = cookieHeader(await signIn('cookie'))
  failing.add('isLive')
  const answer = await me(headers)
  refused(t, answer, 503, 'STORE_UNAVAILABLE')
  t.equal(answer.headers['retry-after'], '1')
  t.equal((await me()).statusCode, 401, 'who has no cookie needs no store')
  failing.clear()
  t.equal((await me(headers)).statusCode, 200)
})

t.test('in an application that registered @fastify/cookie itself', async (t) => {
  t.test('the mode works, and the application’s cookies too', async (t) => {
    const { signIn, me, app } = await cookieApp(t, {
      before: (app) => app.register(fastifyCookie, { secret: 'the application’s own' }),
      routes(app) {
        app.get('/theme', async (request, reply) => {
          reply.setCookie('theme', 'dark', { signed: true })
          return request.cookies
        })
      },
    })
    const headers = cookieHeader(await signIn('cookie'))
    t.equal((await me(headers)).statusCode, 200)
    const theme = await app.inject({ url: '/theme', headers: { cookie: 'a=1' } })
    t.same(theme.json(), { a: '1' })
    t.match(theme.cookies[0]?.value, /^dark\./)
  })

  t.test('none of its defaults reaches our cookie', async (t) => {
    const parseOptions = {
      domain: 'example.com',
      expires: new Date(0),
      httpOnly: false,
      maxAge: 5,
      partitioned: true,
      path: '/app',
      priority: 'high' as const,
      sameSite: 'none' as const,
      secure: false,
      signed: true,
      encode: () => 'encoded',
    }
    const { signIn, signOut, me } = await cookieApp(
      t,
      { before: (app) => app.register(fastifyCookie, { secret: 'the application’s own', parseOptions }) },
      { secure: true },
    )
    const answer = await signIn('cookie')
    t.strictSame(attributesOf(answer), ['HttpOnly', 'Max-Age=3600', 'Path=/', 'SameSite=Lax', 'Secure'])
    t.equal((await me(cookieHeader(answer))).statusCode, 200)
    t.strictSame(attributesOf(await signOut('cookie', cookieHeader(answer))), [
      'Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'HttpOnly',
      'Max-Age=0',
      'Path=/',
      'SameSite=Lax',
      'Secure',
    ])
  })
})

t.test('the sign-in is listed with where it came from', async (t) => {
  const { signIn, app } = await cookieApp(t)
  await signIn('cookie', { headers: { 'user-agent': 'a browser' } })
  const [record] = await app.signIns.list(ALICE.id)
  t.match(record, {
    accountId: ALICE.id,
    mode: 'cookie',
    createdAt: START,
    idleExpiresAt: START + 3_600_000,
    absoluteExpiresAt: START + 2_592_000_000,
    ip: '127.0.0.1',
    userAgent: 'a browser',
    sessionKey: null,
    refresh: null,
  })
})
