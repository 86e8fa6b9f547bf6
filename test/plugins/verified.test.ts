import type { LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import type { Identity } from '../../plugins/lib/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { eventually, openFollowed } from '../helpers/followed.js'
import { listen, sendRaw } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  type Headers,
  NEXT_SECRET,
  refused,
  SECRET,
  type Suite,
  type SuiteOptions,
  sessionMode,
  TestClock,
  tokenMode,
} from '../helpers/suite.js'

/*
 * A credential that was verified a moment ago is not verified again. Here each has been used, so that it is
 * recalled from memory, and then comes again where the long way refuses it.
 */

const MODES = ['token', 'session', 'cookie'] as const
type Mode = (typeof MODES)[number]

const INVALID = { token: 'TOKEN_INVALID', session: 'CREDENTIAL_INVALID', cookie: 'CREDENTIAL_INVALID' }
const EXPIRED = { token: 'TOKEN_EXPIRED', session: 'SIGNED_OUT', cookie: 'CREDENTIAL_EXPIRED' }
/** In seconds, of whatever mode. */
const LIFETIME = 3600
const CLAIMS = { tenant: { number: 7, groups: ['a', 'b'] } }

interface Warm extends Suite {
  /** `GET /who`, behind a guard. */
  who(headers: Headers): Promise<LightMyRequestResponse>
  /** Whom `/who` was asked by. */
  readonly seen: readonly Identity[]
  /** Signs in, and uses the credential until it is recalled from memory. */
  warm(mode: Mode): Promise<Headers>
}

async function warmSuite(t: Test, options: Partial<SuiteOptions> = {}): Promise<Warm> {
  const seen: Identity[] = []
  const suite = await buildSuite(t, {
    modes: [
      tokenMode({ accessTtl: LIFETIME }),
      sessionMode({ idleTtl: LIFETIME, absoluteTtl: LIFETIME }),
      cookieMode({ ttl: LIFETIME, absoluteTtl: LIFETIME }),
    ],
    routes: (app) =>
      app.get('/who', { preHandler: app.guard() }, async (request) => {
        seen.push(request.identity)
        return request.identity
      }),
    ...options,
  })
  const who = (headers: Headers) => suite.app.inject({ url: '/who', headers })
  const warm = async (mode: Mode) => {
    const answer = await suite.signIn(mode, { claims: CLAIMS })
    const { token } = answer.json().issued
    const credential = token ? { authorization: `Bearer ${token}` } : cookieHeader(answer)
    for (let times = 0; times < 2; times++) t.equal((await who(credential)).statusCode, 200)
    t.equal(seen.at(-1), seen.at(-2), `${mode}: from memory`)
    return credential
  }
  return { ...suite, who, seen, warm }
}

const textOf = (credential: Headers) => String(Object.values(credential)[0])
const withText = (credential: Headers, text: string): Headers => ({
  [String(Object.keys(credential)[0])]: text,
})

for (const mode of MODES) {
  t.test(`${mode}: who was recognised once is handed out again, frozen all the way down`, async (t) => {
    const faulty = faultyStore(createMemoryStore())
    const s = await warmSuite(t, { store: faulty.store })
    const credential = await s.warm(mode)
    faulty.calls.length = 0
    t.match((await s.who(credential)).json(), { accountId: ALICE.id, mode, claims: CLAIMS })
    // A session's id may also have been replaced by a step-up.
    const asked = mode === 'session' ? ['isLive', 'isLive'] : ['isLive']
    t.strictSame(faulty.calls, asked, 'and asked is whether it lives, each time')
    const frozen: unknown[] = [s.seen.at(-1)]
    for (const value of frozen) {
      if (typeof value !== 'object' || value === null) continue
      t.ok(Object.isFrozen(value), JSON.stringify(value))
      frozen.push(...Object.values(value))
    }
    t.ok(frozen.length > 10)
  })

  t.test(`${mode}: it expires while it is remembered`, async (t) => {
    const s = await warmSuite(t)
    const credential = await s.warm(mode)
    s.clock.advance(LIFETIME - 1)
    t.equal((await s.who(credential)).statusCode, 200)
    s.clock.advance(1)
    refused(t, await s.who(credential), 401, EXPIRED[mode])
    s.clock.advance(-1)
    t.equal((await s.who(credential)).statusCode, 200, 'the clock was set back')
    s.clock.now = Number.NaN
    t.not((await s.who(credential)).statusCode, 200, 'a clock that has lost the time')
  })

  t.test(`${mode}: its end counts at once, and so does a raised epoch`, async (t) => {
    const s = await warmSuite(t)
    const [ended, spared, other] = [await s.warm(mode), await s.warm(mode), await s.warm(mode)]
    await s.signOut(mode, ended)
    for (let times = 0; times < 2; times++) refused(t, await s.who(ended), 401, 'SIGNED_OUT', 'signed out')
    t.equal((await s.who(other)).statusCode, 200)
    const { signInId } = (await s.who(spared)).json()
    await s.app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }, { spare: signInId })
    refused(t, await s.who(other), 401, 'SIGNED_OUT', 'the epoch was raised')
    t.equal((await s.who(spared)).statusCode, 200, 'the spared one')
    await s.app.signIns.raiseEpoch({ id: ALICE.id, epoch: 2 })
    refused(t, await s.who(spared), 401, 'SIGNED_OUT', 'and spared no more')
  })

  t.test(`${mode}: a store that answers late is waited for, one that fails is 503`, async (t) => {
    const faulty = faultyStore(createMemoryStore(), { promises: true })
    const s = await warmSuite(t, { store: faulty.store })
    const credential = await s.warm(mode)
    faulty.failing.add('isLive')
    refused(t, await s.who(credential), 503, 'STORE_UNAVAILABLE')
    faulty.failing.clear()
    t.equal((await s.who(credential)).statusCode, 200)
    await s.signOut(mode, credential)
    refused(t, await s.who(credential), 401, 'SIGNED_OUT')
  })

  t.test(`${mode}: altered in one character, it is another one`, async (t) => {
    const s = await warmSuite(t)
    const credential = await s.warm(mode)
    const text = textOf(credential)
    const accepted: string[] = []
    for (const [place, was] of [...text].entries()) {
      // As few bits as can differ, so that the signature's last character spells the same bytes.
      const altered =
        text.slice(0, place) + String.fromCharCode(was.charCodeAt(0) ^ 1) + text.slice(place + 1)
      const { statusCode } = await s.who(withText(credential, altered))
      if (statusCode !== 401 && statusCode !== 400) accepted.push(altered)
    }
    t.strictSame(accepted, [])
    for (const altered of [text.slice(0, -1), `${text}A`, text.slice(0, 40), text.replace('.', '%2E')]) {
      t.not((await s.who(withText(credential, altered))).statusCode, 200, altered)
    }
    t.equal((await s.who(credential)).statusCode, 200)
  })

  t.test(`${mode}: other keys begin with nothing`, async (t) => {
    const store = createMemoryStore()
    const clock = new TestClock()
    const under = (...secrets: string[]) => warmSuite(t, { store, clock, identity: { secrets } })
    const old = await under(SECRET)
    const credential = await old.warm(mode)
    const rotating = await under(NEXT_SECRET, SECRET)
    t.equal((await rotating.who(credential)).statusCode, 200)
    const removed = await under(NEXT_SECRET)
    refused(t, await removed.who(credential), 401, INVALID[mode], 'the secret is gone')
    await removed.warm(mode)
    refused(t, await removed.who(credential), 401, INVALID[mode])
    t.equal((await old.who(credential)).statusCode, 200, 'beside it in one process, the old one goes on')
  })
}

t.test('what one mode remembers is no credential of another', async (t) => {
  const s = await warmSuite(t)
  const values = new Map<Mode, string>()
  for (const mode of MODES) values.set(mode, textOf(await s.warm(mode)).replace(/^(Bearer |\w+=)/, ''))
  for (const [from, value] of values) {
    const others: [Mode, Headers][] = [
      ['token', { authorization: `Bearer ${value}` }],
      ['session', { cookie: `session=${value}` }],
      ['cookie', { cookie: `identity=${value}` }],
    ]
    for (const [as, headers] of others) {
      if (as === from) t.equal((await s.who(headers)).statusCode, 200, from)
      else refused(t, await s.who(headers), 401, INVALID[as], `${from} as ${as}`)
    }
  }
})

t.test('two of one name are no credential, remembered or not', async (t) => {
  const s = await warmSuite(t)
  for (const mode of ['session', 'cookie'] as const) {
    const cookie = textOf(await s.warm(mode))
    const name = cookie.slice(0, cookie.indexOf('='))
    for (const both of [`${cookie}; ${cookie}`, `${cookie}; ${name}=`, `${name}=x;${cookie}`]) {
      refused(t, await s.who({ cookie: both }), 401, INVALID[mode], both.replaceAll(cookie, 'genuine'))
    }
    t.equal((await s.who({ cookie: `a=${name}; ${cookie} ; b=${name}=` })).statusCode, 200, 'among others')
  }
  const authorization = `Authorization: ${textOf(await s.warm('token'))}\r\n`
  const port = await listen(s.app)
  const ask = (lines: string) =>
    sendRaw(port, `GET /who HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`)
  t.match(await ask(authorization), /^HTTP\/1\.1 200 /)
  for (const other of [authorization, 'authorization: Basic x\r\n', 'AUTHORIZATION:\r\n']) {
    t.match(await ask(authorization + other), /^HTTP\/1\.1 400 .*"CREDENTIAL_AMBIGUOUS"/s, other)
  }
})

t.test('an `Authorization` in another spelling takes the long way, with its answer', async (t) => {
  const s = await warmSuite(t)
  const text = textOf(await s.warm('token'))
  const token = text.slice('Bearer '.length)
  t.equal((await s.who({ authorization: `bearer ${token}` })).statusCode, 200)
  for (const authorization of [`Bearer  ${token}`, `Bearer ${token},`, `Bearer\t${token}`]) {
    refused(t, await s.who({ authorization }), 400, 'CREDENTIAL_AMBIGUOUS', authorization.slice(0, 8))
  }
  refused(t, await s.who({ authorization: `Basic ${token}` }), 401, 'NOT_SIGNED_IN')
  refused(t, await s.who({ authorization: `Bearer ${token}=` }), 401, 'TOKEN_INVALID')
})

t.test('a cookie that is due for renewal is renewed, however often it was recalled before', async (t) => {
  const s = await warmSuite(t, { modes: [cookieMode({ ttl: 100, absoluteTtl: 1000 })] })
  const credential = await s.warm('cookie')
  s.clock.advance(49)
  t.equal((await s.who(credential)).headers['set-cookie'], undefined)
  s.clock.advance(1)
  t.match((await s.who(credential)).headers['set-cookie'], /^identity=v1\./)
})

t.test('a cookie in its last life is answered from memory, and nothing is written for it', async (t) => {
  const faulty = faultyStore(createMemoryStore())
  const modes = [cookieMode({ ttl: 100, absoluteTtl: 100 })]
  const s = await warmSuite(t, { store: faulty.store, modes })
  const credential = await s.warm('cookie')
  s.clock.advance(55)
  faulty.calls.length = 0
  for (let times = 0; times < 3; times++) {
    t.equal((await s.who(credential)).headers['set-cookie'], undefined)
  }
  t.strictSame(faulty.calls, ['isLive', 'isLive', 'isLive'])
})

/** How a cookie's pair may be written, well or badly: the lines of a request. */
function cookieLines(pair: string): string[] {
  const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
  const values = [value, `"${value}"`, `${value}=`, `${value}%20`, `${value}.`, value.replaceAll('.', '%2E')]
  const spelt = [value.toUpperCase(), value.slice(0, -1), `${value}A`, value.replace('.', '+'), `${value}\0`]
  const names = [
    'Identity',
    'Session',
    `x${name}`,
    `${name}x`,
    `__Host-${name}`,
    `"${name}"`,
    `\xa0${name}`,
    `${name} x`,
  ]
  const others = 'x'.repeat(12_000)
  const headers = [
    ...[...values, ...spelt].map((text) => `${name}=${text}`),
    ...names.map((other) => `${other}=${value}`),
    ` \t${pair}\t `,
    `${name} = ${value}`,
    `${name}\t=\t${value}`,
    `;;${pair};`,
    `a=${others}; ${pair}`,
    `a ${pair}`,
    `a,${pair}`,
    `a=b ${pair}`,
    `a=b,${pair}`,
    `=${pair}`,
    `${name}; =${value}`,
    name,
    `${pair}; ${pair}`,
    `${pair};${name}`,
    `${pair}; ${name}=`,
    `${name}=; ${pair}`,
    `a="; ${pair}`,
  ]
  const lines = headers.map((header) => `Cookie: ${header}\r\n`)
  const odd = ['Cookie:', 'cookie: ', 'COOKIE:\t', 'Cookie : ', 'Cookie2: ', 'X-Cookie: '].map(
    (start) => start + pair,
  )
  const split = [`Cookie: ${pair.slice(0, -9)}\r\n ${pair.slice(-9)}`, `Cookie: a=b\r\nCookie: ${pair}`]
  return [...lines, ...[...odd, ...split, `Cookie: ${pair}\r\ncookie: ${pair}`].map((line) => `${line}\r\n`)]
}

/** The same for a token. */
function bearerLines(header: string): string[] {
  const token = header.slice('Bearer '.length)
  const schemes = [
    'Bearer ',
    'bearer ',
    'BEARER ',
    'Bearer  ',
    'Bearer\t',
    'Bearer',
    'Bearer,',
    'Basic ',
    'Bearer Bearer ',
  ]
  const texts = [
    `${token}=`,
    `${token}.`,
    `${token}.x`,
    `"${token}"`,
    `${token},`,
    `${token} x`,
    `${token}\0`,
  ]
  const spelt = [token.toUpperCase(), token.slice(0, -1), `${token}A`, token.replace('.', '+'), `.${token}`]
  const headers = [
    ...schemes.map((scheme) => scheme + token),
    ...[...texts, ...spelt].map((text) => `Bearer ${text}`),
    ` \t${header}\t `,
    `${header}, ${header}`,
    token,
    `Bearer x${'y'.repeat(12_000)}${token}`,
  ]
  const odd = ['authorization:', 'AUTHORIZATION: ', 'Authorization : ', 'Proxy-Authorization: '].map(
    (start) => start + header,
  )
  const two = [
    `Authorization: ${header}\r\nAuthorization: ${header}`,
    `Authorization:\r\nauthorization: ${header}`,
  ]
  return [...headers.map((text) => `Authorization: ${text}`), ...odd, ...two].map((line) => `${line}\r\n`)
}

for (const mode of MODES) {
  t.test(`${mode}: however it is written, it is answered as if it had never been seen`, async (t) => {
    const cached = await warmSuite(t)
    const credential = await cached.warm(mode)
    const clock = new TestClock()
    clock.advance(LIFETIME / 2)
    const uncached = await warmSuite(t, { store: cached.store, clock })
    const [cachedPort, uncachedPort] = [await listen(cached.app), await listen(uncached.app)]
    const ask = async (port: number, lines: string) => {
      const answer = await sendRaw(port, `GET /who HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`)
      return `${answer.slice(9, 12)} ${/"code":"(\w+)"/.exec(answer)?.[1] ?? ''}`
    }
    const accepted: string[] = []
    const text = textOf(credential)
    for (const lines of mode === 'token' ? bearerLines(text) : cookieLines(text)) {
      // Back by a second: nothing is recalled from before it was verified.
      clock.advance(-1)
      const [known, unknown] = [await ask(cachedPort, lines), await ask(uncachedPort, lines)]
      const shown = JSON.stringify(lines.replaceAll(text, 'GENUINE').slice(0, 80))
      t.equal(known, unknown, shown)
      if (known === '200 ') accepted.push(shown)
    }
    t.equal(new Set(uncached.seen).size, uncached.seen.length, 'each was verified')
    t.strictSame(accepted.length, mode === 'token' ? 6 : 12, accepted.join(' '))
  })
}

t.test('only what was verified is remembered, and no more than was asked for', async (t) => {
  const s = await warmSuite(t, {
    modes: [
      tokenMode({ tokenCache: 10 }),
      sessionMode({ sessionCache: 10 }),
      cookieMode({ cookieCache: 10 }),
    ],
  })
  for (const mode of MODES) {
    const credential = await s.warm(mode)
    const known = s.seen.at(-1)
    const text = textOf(credential)
    for (let index = 0; index < 100; index++) {
      const forged = text.slice(0, -8) + String(index).padStart(8, '0')
      refused(t, await s.who(withText(credential, forged)), 401, INVALID[mode], `forged ${index}`)
    }
    await s.who(credential)
    t.equal(s.seen.at(-1), known, 'forgeries displace nothing')
    for (let index = 0; index < 20; index++) await s.warm(mode)
    await s.who(credential)
    t.not(s.seen.at(-1), known, 'others do, and it is verified again')
    t.strictSame(s.seen.at(-1), known)
  }
})

t.test('a cache without room is refused at boot, by its option', async (t) => {
  for (const options of [{ cookieCache: 1 }, { cacheBytes: 1000 }]) {
    const message = new RegExp(String(Object.keys(options)[0]))
    await t.rejects(buildSuite(t, { modes: [cookieMode(options)] }), { code: 'OPTION_INVALID', message })
  }
  for (const options of [{ tokenCache: 0 }, { cacheBytes: Number.NaN }]) {
    const message = new RegExp(String(Object.keys(options)[0]))
    await t.rejects(buildSuite(t, { modes: [tokenMode(options)] }), { code: 'OPTION_INVALID', message })
  }
})

t.test('over Redis: no command while the feed is healthy; asked, or 503, once it is lost', async (t) => {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const { store, client } = await openFollowed(t, server.url, { commandTimeout: 200 })
  const elsewhere = await openFollowed(t, server.url)
  const s = await warmSuite(t, { store })
  const other = await warmSuite(t, { store: elsewhere.store, clock: s.clock })
  const credentials: Headers[] = []
  for (const mode of MODES) credentials.push(await s.warm(mode))
  const all = () => Promise.all(credentials.map((credential) => s.who(credential)))
  const commands = async () => {
    const stats = await client.info('commandstats')
    return stats.match(/cmdstat_(?:get|set|zmscore|del):calls=\d+/g) ?? []
  }
  // A machine that has a lot to do may lose heartbeats, and then Redis is asked, as it should be.
  await eventually(async () => {
    await client.config('RESETSTAT')
    for (let times = 0; times < 5; times++) for (const { statusCode } of await all()) t.equal(statusCode, 200)
    return (await commands()).length === 0
  })

  server.pause()
  await eventually(() => !store.feed.healthy())
  for (const answer of await all()) refused(t, answer, 503, 'STORE_UNAVAILABLE', 'nobody knows')
  server.resume()
  await eventually(async () => (await all()).every(({ statusCode }) => statusCode === 200))

  const [, , cookie] = credentials
  if (!cookie) return t.fail()
  await other.signOut('cookie', cookie)
  await eventually(async () => (await s.who(cookie)).statusCode === 401)
  refused(t, await s.who(cookie), 401, 'SIGNED_OUT', 'ended elsewhere')
  await elsewhere.client.flushall()
  await eventually(async () => (await all()).every(({ statusCode }) => statusCode === 401))
  for (const answer of await all()) refused(t, answer, 401, 'SIGNED_OUT', 'another generation')
})
