import { createHash } from 'node:crypto'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import apiKeyAuth, { type ApiKeyAuthOptions } from '../../plugins/api-key-auth.js'
import type { AuditEvent } from '../../plugins/audit.js'
import type { SignInRef } from '../../plugins/lib/contract.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import throttle from '../../plugins/throttle.js'
import { forgeKey } from '../helpers/forge.js'
import { losableStore } from '../helpers/losable-store.js'
import { memoryApiKeys } from '../helpers/memory-api-keys.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  type Headers,
  refused,
  START,
  type SuiteOptions,
  sessionMode,
  TestClock,
  tokenMode,
} from '../helpers/suite.js'

const DAY = 24 * 3600
const FORM = /^fik_[0-9A-Za-z]{16}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}$/
const bearer = (key: string): Headers => ({ authorization: `Bearer ${key}` })
const HOUR = 3_600_000

interface Setting extends Partial<SuiteOptions> {
  readonly keys?: ApiKeyAuthOptions
  readonly throttled?: boolean
}

async function setUp(t: Test, { keys, throttled, ...options }: Setting = {}) {
  const accounts = new Map([ALICE, BOB].map((row) => [row.id, { ...row, epoch: 0 }]))
  const { source, calls } = memoryApiKeys((id) => accounts.get(id) ?? null)
  const { store, failing, calls: storeCalls } = faultyStore(options.store ?? createMemoryStore())
  const clock = options.clock ?? new TestClock()
  const suite = await buildSuite(t, {
    modes: [
      async (app) => void (await app.register(apiKeyAuth, { source, ...keys })),
      tokenMode(),
      sessionMode(),
      cookieMode(),
    ],
    ...options,
    store,
    clock,
    async routes(app) {
      await options.routes?.(app)
      if (throttled) await app.register(throttle, { addressLimit: 5, secure: false })
    },
  })
  const events: AuditEvent[] = []
  suite.app.audit.subscribe((event) => void events.push(event))
  const make = (apiKey: object = {}, more: object = {}) => suite.signIn('api_key', { apiKey, ...more })
  const makeKey = async (apiKey: object = {}, more: object = {}) => {
    const answer = await make(apiKey, more)
    if (answer.statusCode !== 200) throw new Error(answer.body)
    const { id, key } = answer.json().issued
    return { id: String(id), key: String(key), headers: bearer(key) }
  }
  /** A key that this process has not seen: another one made it. */
  const makeElsewhere = async (apiKey: object = {}) => {
    const elsewhere = await buildSuite(t, {
      modes: [async (app) => void (await app.register(apiKeyAuth, { source, ...keys }))],
      store,
      clock,
    })
    const { id, key } = (await elsewhere.signIn('api_key', { apiKey })).json().issued
    calls.length = 0
    storeCalls.length = 0
    return { id: String(id), key: String(key), headers: bearer(key), app: elsewhere.app }
  }
  const get = (url: string, headers: Headers) => suite.app.inject({ url, headers })
  return {
    ...suite,
    ...{ store, failing, storeCalls, clock, accounts, source, calls, events },
    ...{ make, makeKey, makeElsewhere, get },
  }
}

const unknownKeys = (count: number) =>
  Array.from({ length: count }, (_, index) => forgeKey(String(index).padStart(16, '0')))

t.test('a key has a prefix, an id, a secret of 160 bits and a check', async (t) => {
  const { makeKey } = await setUp(t)
  const { id, key } = await makeKey()
  t.match(key, FORM)
  const [, keyId, secret = '', check] = key.split('_')
  t.equal(keyId, id)
  t.ok(62n ** BigInt(secret.length) > 2n ** 160n)
  t.equal(key, forgeKey(id, secret), 'the check is made from the rest')
  t.equal(check?.length, 6)
})

t.test('a prefix of one’s own: keyPrefix', async (t) => {
  const { makeKey, me } = await setUp(t, { keys: { keyPrefix: 'acme' } })
  const { key, headers } = await makeKey()
  t.match(key, /^acme_/)
  t.equal((await me(headers)).json().mode, 'api_key')
  refused(t, await me(bearer(key.replace('acme', 'fik'))), 401, 'TOKEN_INVALID', 'no key here')
  for (const keyPrefix of ['', 'F', 'Acme', 'a', '1a', 'a_b', 'a'.repeat(17), 'a-b'])
    await t.rejects(setUp(t, { keys: { keyPrefix } }), { code: 'OPTION_INVALID' }, keyPrefix)
})

t.test('its SHA-256 is stored, and nothing that works as a key', async (t) => {
  const { makeKey, source, app } = await setUp(t)
  const { id, key } = await makeKey({ name: 'deploy' })
  const found = await source.find(id)
  t.equal(found?.key.hash, createHash('sha256').update(key).digest('base64url'))
  const [, , secret = ''] = key.split('_')
  t.notMatch(JSON.stringify(found), secret)
  t.notMatch(JSON.stringify(await app.apiKeys.list(ALICE.id)), /hash/)
  t.equal((await app.apiKeys.find(ALICE.id, id))?.name, 'deploy')
  t.equal(await app.apiKeys.find(BOB.id, id), null)
})

t.test('a cached key costs no trip to a store', async (t) => {
  const { makeElsewhere, me, calls, storeCalls } = await setUp(t)
  const { headers } = await makeElsewhere()
  t.equal((await me(headers)).statusCode, 200)
  t.same(
    calls.filter((name) => name === 'find'),
    ['find'],
    'uncached: the database is asked once',
  )
  calls.length = 0
  storeCalls.length = 0
  for (let request = 0; request < 10; request++) t.equal((await me(headers)).statusCode, 200)
  t.same(
    calls.filter((name) => name !== 'noteUse'),
    [],
  )
  t.same(
    storeCalls.filter((name) => name !== 'revision' && name !== 'isLive'),
    [],
    'and those are in memory',
  )
})

t.test('the process that made a key needs no look at all', async (t) => {
  const { makeKey, me, calls } = await setUp(t)
  const { headers } = await makeKey()
  calls.length = 0
  t.equal((await me(headers)).statusCode, 200)
  t.notOk(calls.includes('find'))
})

t.test('many requests with an uncached key share one query', async (t) => {
  const { makeElsewhere, me, calls } = await setUp(t)
  const { headers } = await makeElsewhere()
  const answers = await Promise.all(Array.from({ length: 50 }, () => me(headers)))
  t.ok(answers.every(({ statusCode }) => statusCode === 200))
  t.equal(calls.filter((name) => name === 'find').length, 1)
})

t.test('after a lost revocation list a key is asked of the database once', async (t) => {
  const { store, lose } = losableStore()
  const { makeKey, me, calls, signIn } = await setUp(t, { store })
  const { headers } = await makeKey()
  const cookie = cookieHeader(await signIn('cookie'))
  t.equal((await me(headers)).statusCode, 200)
  lose()
  refused(t, await me(cookie), 401, 'SIGNED_OUT', 'people sign in again')
  calls.length = 0
  for (let request = 0; request < 5; request++) t.equal((await me(headers)).statusCode, 200)
  t.equal(calls.filter((name) => name === 'find').length, 1)
})

t.test('a key that was ended stays ended when the revocation list is lost', async (t) => {
  const { store, lose } = losableStore()
  const { makeKey, me, app, accounts, store: told } = await setUp(t, { store })
  const ended = await makeKey()
  const epoch = await makeKey({}, { account: BOB })
  const live = await makeKey()
  await app.signIns.end({ accountId: ALICE.id, signInId: ended.id })
  accounts.set(BOB.id, { ...BOB, epoch: 1 })
  await told.raiseEpoch(BOB.id, 1, null, START + 1e12)
  for (let losses = 0; losses < 3; losses++) {
    refused(t, await me(ended.headers), 401, 'SIGNED_OUT')
    refused(t, await me(epoch.headers), 401, 'SIGNED_OUT')
    t.equal((await me(live.headers)).statusCode, 200)
    lose()
  }
})

t.test('a raised epoch ends keys for good even where accounts report no epoch', async (t) => {
  const { store, lose } = losableStore()
  const { makeKey, me, app } = await setUp(t, { store })
  const { headers, id } = await makeKey()
  await app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }, { spare: id })
  refused(t, await me(headers), 401, 'SIGNED_OUT', 'an epoch does not spare keys')
  lose()
  refused(t, await me(headers), 401, 'SIGNED_OUT')
  t.same(await app.signIns.list(ALICE.id), [])
})

t.test('a key of an account that is gone or disabled is refused', async (t) => {
  const { makeElsewhere, me, accounts, store } = await setUp(t)
  const { headers } = await makeElsewhere()
  accounts.delete(ALICE.id)
  refused(t, await me(headers), 401, 'SIGNED_OUT', 'uncached')
  accounts.set(ALICE.id, { ...ALICE, epoch: 0 })
  const cached = await makeElsewhere()
  t.equal((await me(cached.headers)).statusCode, 200)
  await store.raiseEpoch(ALICE.id, 1, null, START + 1e12)
  refused(t, await me(cached.headers), 401, 'SIGNED_OUT', 'cached')
})

t.test('an end that the list loses in between is told to the new list', async (t) => {
  const { store, lose } = losableStore()
  const { makeKey, me, app, source, storeCalls } = await setUp(t, { store, keys: {} })
  const { id, headers } = await makeKey()
  t.equal((await me(headers)).statusCode, 200)
  const { end } = source
  // Between the revocation and the database the list is lost, and somebody uses the key.
  Object.assign(source, {
    async end(ids: string[], now: number) {
      lose()
      t.equal((await me(headers)).statusCode, 200, 'verified under the new list')
      await end(ids, now)
    },
  })
  storeCalls.length = 0
  await app.signIns.end({ accountId: ALICE.id, signInId: id })
  t.equal(storeCalls.filter((name) => name === 'endSignIn').length, 2)
  refused(t, await me(headers), 401, 'SIGNED_OUT')
})

t.test('when the end cannot be stored, nothing has changed and it can be tried again', async (t) => {
  const { makeKey, me, app, failing, source } = await setUp(t)
  const { id, headers } = await makeKey()
  const end = () => app.signIns.end({ accountId: ALICE.id, signInId: id })
  failing.add('endSignIn')
  await t.rejects(end(), { code: 'STORE_UNAVAILABLE' })
  failing.clear()
  t.equal((await me(headers)).statusCode, 200)
  const { end: mark } = source
  Object.assign(source, { end: () => Promise.reject(new Error('the database is away')) })
  await t.rejects(end(), /away/)
  t.equal((await app.signIns.list(ALICE.id)).length, 1, 'still there to be ended')
  Object.assign(source, { end: mark })
  t.equal(await end(), true)
  refused(t, await me(headers), 401, 'SIGNED_OUT')
  t.equal(await end(), false)
})

t.test('its end is kept in the revocation list until the key has expired', async (t) => {
  const { makeKey, app, store } = await setUp(t)
  const { id } = await makeKey({ expiresIn: 400 * DAY })
  const kept: number[] = []
  const { endSignIn } = store
  Object.assign(store, {
    endSignIn: (accountId: string, signInId: string, until: number) => {
      kept.push(until)
      return endSignIn.call(store, accountId, signInId, until)
    },
  })
  await app.signIns.end({ accountId: ALICE.id, signInId: id })
  t.same(kept, [START + 400 * DAY * 1000 + HOUR])
})

t.test('the longest lifetime is one that the revocation list reckons with', async (t) => {
  await t.rejects(
    setUp(t, { signIns: { longestTtl: 30 * DAY } }),
    /ttlMax must not be longer than longestTtl/,
  )
  await t.rejects(setUp(t, { keys: { ttlMax: 401 * DAY } }), { code: 'OPTION_INVALID' })
  await t.rejects(setUp(t, { keys: { ttlMax: DAY, ttl: DAY + 1 } }), { code: 'OPTION_INVALID' })
  const { make, makeKey, app } = await setUp(t, {
    signIns: { longestTtl: 30 * DAY },
    keys: { ttlMax: 30 * DAY },
  })
  refused(t, await make({ expiresIn: 30 * DAY + 1 }), 500, 'OPTION_INVALID')
  await makeKey({ expiresIn: 30 * DAY })
  const [record] = await app.signIns.list(ALICE.id)
  t.equal(record?.absoluteExpiresAt, START + 30 * DAY * 1000)
})

t.test('the default lifetime is 90 days, and the longest 400', async (t) => {
  const { makeKey, make, app } = await setUp(t)
  await makeKey()
  t.equal((await app.apiKeys.list(ALICE.id))[0]?.expiresAt, START + 90 * DAY * 1000)
  t.equal((await make({ expiresIn: 400 * DAY })).statusCode, 200)
  for (const expiresIn of [400 * DAY + 1, 0, -1, 1.5, Number.NaN])
    refused(t, await make({ expiresIn }), 500, 'OPTION_INVALID', String(expiresIn))
})

t.test('an unknown id costs at most one look, and is throttled by address before it', async (t) => {
  const { me, calls, events, makeKey, makeElsewhere, clock } = await setUp(t, { throttled: true })
  const cached = await makeKey()
  const uncached = await makeElsewhere()
  for (const key of unknownKeys(5)) refused(t, await me(bearer(key)), 401, 'CREDENTIAL_INVALID')
  t.equal(calls.filter((name) => name === 'find').length, 5)
  calls.length = 0
  const answer = await me(bearer(forgeKey('z'.repeat(16))))
  refused(t, answer, 429, 'THROTTLED')
  t.ok(Number(answer.headers['retry-after']) > 0)
  t.same(calls, [], 'no look')
  t.match(events.at(-1), { type: 'throttled', what: 'api_key', by: 'address', accountId: null })
  t.equal((await me(cached.headers)).statusCode, 200, 'a key in use is not held up')
  refused(
    t,
    await me(uncached.headers),
    429,
    'THROTTLED',
    'an uncached one waits, as nobody can tell it from a guess',
  )
  clock.advance(901)
  t.equal((await me(uncached.headers)).statusCode, 200)
})

t.test('a parallel burst of unknown keys costs no more looks than the limit', async (t) => {
  const { me, calls } = await setUp(t, { throttled: true })
  const answers = await Promise.all(unknownKeys(50).map((key) => me(bearer(key))))
  const codes = answers.map((answer) => answer.json().code)
  t.equal(calls.filter((name) => name === 'find').length, 5)
  t.equal(codes.filter((code) => code === 'CREDENTIAL_INVALID').length, 5)
  t.equal(codes.filter((code) => code === 'THROTTLED').length, 45)
})

t.test('many requests with one uncached key take one attempt, and a good key gives it back', async (t) => {
  const { makeElsewhere, me } = await setUp(t, { throttled: true })
  for (let round = 0; round < 6; round++) {
    const { headers } = await makeElsewhere()
    const answers = await Promise.all(Array.from({ length: 20 }, () => me(headers)))
    t.ok(answers.every(({ statusCode }) => statusCode === 200))
  }
})

t.test('another address’s limit delays nobody with the same uncached key', async (t) => {
  const { makeElsewhere, app, me } = await setUp(t, { throttled: true })
  const { headers } = await makeElsewhere()
  for (const key of unknownKeys(5)) await me(bearer(key))
  const [here, there] = await Promise.all([
    me(headers),
    app.inject({ url: '/me', headers, remoteAddress: '10.0.0.9' }),
  ])
  refused(t, here, 429, 'THROTTLED')
  t.equal(there.statusCode, 200)
})

t.test('another spelling of the scheme costs no look', async (t) => {
  const { makeElsewhere, me, calls } = await setUp(t)
  const { key } = await makeElsewhere()
  for (let round = 0; round < 3; round++)
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      t.equal((await me({ authorization: `${scheme} ${key}` })).statusCode, 200)
  t.equal(calls.filter((name) => name === 'find').length, 1)
  refused(
    t,
    await me({ authorization: `Digest ${key}` }),
    401,
    'NOT_SIGNED_IN',
    'a cached key in another scheme',
  )
})

t.test('a wrong check costs no look and counts for nothing', async (t) => {
  const { me, calls, storeCalls } = await setUp(t, { throttled: true })
  const [good = ''] = unknownKeys(1)
  storeCalls.length = 0
  for (let attempt = 0; attempt < 20; attempt++)
    refused(t, await me(bearer(`${good.slice(0, -1)}_`)), 401, 'CREDENTIAL_INVALID')
  refused(t, await me(bearer(`${good.slice(0, -6)}000000`)), 401, 'CREDENTIAL_INVALID')
  t.same(calls, [])
  t.same(storeCalls, [])
  refused(t, await me(bearer(good)), 401, 'CREDENTIAL_INVALID', 'nothing was counted')
})

t.test('an unknown id and a wrong secret cost the same, and get one answer', async (t) => {
  const { me, calls, makeElsewhere } = await setUp(t)
  const { id } = await makeElsewhere()
  const answers: LightMyRequestResponse[] = []
  for (const key of [forgeKey(id), forgeKey('0'.repeat(16))]) {
    calls.length = 0
    answers.push(await me(bearer(key)))
    t.same(calls, ['find'])
  }
  const [one, other] = answers.map(({ statusCode, headers, body }) => {
    const { date: _date, ...rest } = headers
    return { statusCode, rest, body }
  })
  t.same(one, other)
})

t.test(
  'a program with a dead key costs one query a minute, and holds nobody at its address up',
  async (t) => {
    const { makeElsewhere, me, calls, clock, app } = await setUp(t, { throttled: true })
    const ended = await makeElsewhere()
    const expired = await makeElsewhere({ expiresIn: 60 })
    await app.signIns.end({ accountId: ALICE.id, signInId: ended.id })
    clock.advance(60)
    calls.length = 0
    for (let attempt = 0; attempt < 20; attempt++) {
      refused(t, await me(ended.headers), 401, 'SIGNED_OUT')
      refused(t, await me(expired.headers), 401, 'CREDENTIAL_EXPIRED')
    }
    t.equal(calls.filter((name) => name === 'find').length, 2)
    clock.advance(60)
    refused(t, await me(ended.headers), 401, 'SIGNED_OUT')
    t.equal(calls.filter((name) => name === 'find').length, 3)
    t.equal((await me((await makeElsewhere()).headers)).statusCode, 200, 'not throttled')
  },
)

t.test('one unknown key that is sent again and again counts once a minute', async (t) => {
  const { me, calls } = await setUp(t, { throttled: true })
  const [key = ''] = unknownKeys(1)
  for (let attempt = 0; attempt < 20; attempt++) refused(t, await me(bearer(key)), 401, 'CREDENTIAL_INVALID')
  t.same(calls, ['find'])
})

t.test('a cached key ends at its time, by the injected clock', async (t) => {
  const { makeKey, me, clock } = await setUp(t)
  const { headers } = await makeKey({ expiresIn: 60 })
  t.equal((await me(headers)).statusCode, 200)
  clock.advance(60)
  refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED')
})

t.test('a clock that has lost the time makes every key expired', async (t) => {
  const { makeKey, makeElsewhere, me, clock } = await setUp(t)
  const [cached, uncached] = [await makeKey(), await makeElsewhere()]
  t.equal((await me(cached.headers)).statusCode, 200)
  clock.now = Number.NaN
  for (const { headers } of [cached, uncached]) refused(t, await me(headers), 401, 'CREDENTIAL_EXPIRED')
  clock.now = START
  for (const { headers } of [cached, uncached]) t.equal((await me(headers)).statusCode, 200)
})

t.test('the order is API key, token, session, cookie', async (t) => {
  const { makeKey, signIn, me } = await setUp(t)
  const { headers } = await makeKey()
  const cookie = cookieHeader(await signIn('cookie', { account: BOB }))
  t.equal((await me({ ...headers, ...cookie })).json().mode, 'api_key')
  const dead = bearer(forgeKey('0'.repeat(16)))
  refused(t, await me({ ...dead, ...cookie }), 401, 'CREDENTIAL_INVALID', 'a refused key ends the search')
})

t.test('a bearer value that begins with fik_ is never looked at as a token', async (t) => {
  const { makeKey, get, signOut, me } = await setUp(t, {
    routes(app) {
      app.get('/token', { preHandler: app.guard({ modes: ['token'] }) }, async () => 'in')
      app.get('/next', { preHandler: app.guard({ onRefused: 'next' }) }, async () => 'in')
    },
  })
  const { headers } = await makeKey()
  for (const presented of [headers, bearer('fik_'), bearer('fik_eyJhbGciOiJIUzI1NiJ9.e30.x')]) {
    refused(t, await get('/token', presented), 401, 'NOT_SIGNED_IN')
    t.same((await signOut('token', presented)).json(), { ended: false })
  }
  const answer = await get('/next', bearer('fik_eyJhbGciOiJIUzI1NiJ9.e30.x'))
  refused(t, answer, 401, 'CREDENTIAL_INVALID', 'by the key mode alone')
  t.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"')
  t.equal((await me(headers)).statusCode, 200)
})

t.test('each odd Authorization header has one answer, with and without the token mode', async (t) => {
  const { makeKey, get, signIn } = await setUp(t, {
    routes(app) {
      app.get('/keys', { preHandler: app.guard({ modes: ['api_key'] }) }, async (r) => r.identity.mode)
      app.get('/all', { preHandler: app.guard() }, async (r) => r.identity.mode)
    },
  })
  const { key } = await makeKey()
  const { token } = (await signIn('token')).json().issued
  for (const url of ['/keys', '/all']) {
    for (const good of [`Bearer ${key}`, `bearer ${key}`, `BEARER ${key}`])
      t.equal((await get(url, { authorization: good })).body, 'api_key', good.slice(0, 12))
    const odd = [`Bearer  ${key}`, `Bearer\t${key}`, `Bearer ${key} x`, `Bearer ${key},${key}`, 'Bearer']
    for (const value of [...odd, `Bearer "${key}"`, `Bearer ${key.replace('fik', '%66ik')}`, 'Bearer a!b'])
      refused(t, await get(url, { authorization: value }), 400, 'CREDENTIAL_AMBIGUOUS', value)
    for (const value of ['', `Basic ${key}`, key, `Bearerx ${key}`, `Digest ${key}`])
      refused(t, await get(url, { authorization: value }), 401, 'NOT_SIGNED_IN', value)
    const cut = [`Bearer ${key}=`, `Bearer ${key}.`, `Bearer fik_${'A'.repeat(8000)}`, 'Bearer fik_']
    for (const value of cut)
      refused(t, await get(url, { authorization: value }), 401, 'CREDENTIAL_INVALID', value.slice(0, 70))
  }
  refused(t, await get('/keys', bearer(token)), 401, 'NOT_SIGNED_IN', 'a token is no key')
  refused(t, await get('/all', bearer(key.replace('fik', 'FIK'))), 401, 'TOKEN_INVALID', 'nor is this')
})

t.test('the cap refuses one more, and ends none for it', async (t) => {
  const { makeKey, make, me, app } = await setUp(t, { keys: { cap: 2 } })
  const [one, two] = [await makeKey(), await makeKey()]
  const answer = await make()
  refused(t, answer, 409, 'API_KEY_LIMIT')
  t.notOk('issued' in answer.json())
  for (const { headers } of [one, two]) t.equal((await me(headers)).statusCode, 200)
  t.equal((await app.signIns.list(ALICE.id)).length, 2)
  t.equal((await make({}, { account: BOB })).statusCode, 200, 'it counts for one account')
  await app.signIns.end({ accountId: ALICE.id, signInId: one.id })
  t.equal((await make()).statusCode, 200)
  t.equal(
    (await make({}, { headers: two.headers })).statusCode,
    200,
    'one that replaces another takes its place',
  )
  refused(t, await me(two.headers), 401, 'SIGNED_OUT')
  const bobs = await makeKey({}, { account: BOB })
  refused(
    t,
    await make({}, { headers: bobs.headers }),
    409,
    'API_KEY_LIMIT',
    'one of another account does not',
  )
  t.equal((await me(bobs.headers)).statusCode, 200)
})

t.test('logins push no key out, and keys push no login out', async (t) => {
  const { makeKey, me, signIn } = await setUp(t, { signIns: { cap: 2 } })
  const { headers } = await makeKey()
  const cookies = [await signIn('cookie'), await signIn('cookie')].map(cookieHeader)
  await makeKey()
  for (const cookie of cookies) t.equal((await me(cookie)).statusCode, 200)
  for (let login = 0; login < 5; login++) await signIn('token')
  t.equal((await me(headers)).statusCode, 200)
})

t.test('ending the others spares keys, and ending all does not', async (t) => {
  const { makeKey, me, app, signIn, events } = await setUp(t)
  const { headers, id } = await makeKey()
  const cookie = cookieHeader(await signIn('cookie'))
  await signIn('token')
  const { signInId } = (await me(cookie)).json()
  t.equal(await app.signIns.endAll(ALICE.id, signInId), 1)
  t.equal((await me(headers)).statusCode, 200)
  events.length = 0
  t.equal(await app.signIns.endAll(ALICE.id), 2)
  refused(t, await me(headers), 401, 'SIGNED_OUT')
  refused(t, await me(cookie), 401, 'SIGNED_OUT')
  t.ok(events.some((event) => event.type === 'sign_in_ended' && event.signInId === id))
})

t.test(
  'while the database of keys is away, all else is ended, and 503 says that keys are left',
  async (t) => {
    const { source: stored } = memoryApiKeys(() => ({ ...ALICE, epoch: 0 }))
    const away = { is: false }
    const list: typeof stored.list = (accountId, now) => {
      if (away.is) throw new StoreUnavailable()
      return stored.list(accountId, now)
    }
    const { makeKey, me, app, signIn } = await setUp(t, { keys: { source: { ...stored, list } } })
    const { headers } = await makeKey()
    const cookie = cookieHeader(await signIn('cookie'))
    away.is = true
    await t.rejects(app.signIns.endAll(ALICE.id), { code: 'STORE_UNAVAILABLE' })
    refused(t, await me(cookie), 401, 'SIGNED_OUT')
    t.equal((await me(headers)).statusCode, 200, 'the key lives on')
    await t.rejects(app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }), { code: 'STORE_UNAVAILABLE' })
    refused(t, await me(headers), 401, 'SIGNED_OUT')
  },
)

t.test(
  'while the database of keys is away, there is no list: one without keys would look whole',
  async (t) => {
    const { source: stored } = memoryApiKeys(() => ({ ...ALICE, epoch: 0 }))
    const away = { is: true }
    const list: typeof stored.list = async (accountId, now) => {
      if (away.is) throw new StoreUnavailable()
      return stored.list(accountId, now)
    }
    const { app, get, makeKey, signIn } = await setUp(t, {
      keys: { source: { ...stored, list } },
      routes(app) {
        const mine = { preHandler: app.guard() }
        app.get('/list', mine, ({ identity }) => app.signIns.list(identity.accountId))
        app.get('/page', mine, ({ identity }) =>
          app.signIns.page(identity.accountId, { limit: 1, after: null }),
        )
      },
    })
    await makeKey()
    const cookie = cookieHeader(await signIn('cookie'))
    for (const url of ['/list', '/page']) {
      const answer = await get(url, cookie)
      refused(t, answer, 503, 'STORE_UNAVAILABLE')
      t.ok(Number(answer.headers['retry-after']) > 0)
    }
    away.is = false
    t.equal((await app.signIns.list(ALICE.id)).length, 2)
  },
)

t.test('keys are in the list of sign-ins, a page at a time', async (t) => {
  const { makeKey, app, signIn, clock } = await setUp(t)
  const made: string[] = []
  for (let round = 0; round < 3; round++) {
    made.unshift((await makeKey()).id)
    clock.advance(1)
    await signIn('cookie')
    clock.advance(1)
  }
  const all = await app.signIns.list(ALICE.id)
  t.same(
    all.map(({ mode }) => mode),
    ['cookie', 'api_key', 'cookie', 'api_key', 'cookie', 'api_key'],
  )
  t.same(
    all.filter(({ mode }) => mode === 'api_key').map(({ id }) => id),
    made,
  )
  const paged: string[] = []
  let after: string | null = null
  do {
    const page = await app.signIns.page(ALICE.id, { limit: 2, after })
    paged.push(...page.signIns.map(({ id }) => id))
    after = page.next
  } while (after !== null)
  t.same(
    paged,
    all.map(({ id }) => id),
  )
  t.equal(await app.signIns.find(BOB.id, made[0] ?? ''), null)
  t.match(await app.signIns.find(ALICE.id, made[0] ?? ''), { mode: 'api_key', accountId: ALICE.id })
})

t.test('an id of another account ends nothing', async (t) => {
  const { makeKey, me, app } = await setUp(t)
  const { id, headers } = await makeKey()
  t.equal(await app.signIns.end({ accountId: BOB.id, signInId: id }), false)
  t.equal((await me(headers)).statusCode, 200)
})

t.test('a key has no authTime and no factors, so fresh always refuses it', async (t) => {
  const { makeKey, get, me, signIn } = await setUp(t, {
    routes(app) {
      app.get('/fresh', { preHandler: app.guard({ fresh: true }) }, async () => 'in')
      app.get('/ages', { preHandler: app.guard({ fresh: 366 * DAY }) }, async () => 'in')
      const people = [app.guard(), app.guard({ modes: ['token', 'session', 'cookie'], fresh: true })]
      app.get('/people', { preHandler: people }, async () => 'in')
    },
  })
  const { headers } = await makeKey({ scopes: ['read'] })
  t.notOk('authTime' in (await me(headers)).json())
  refused(t, await get('/fresh', headers), 403, 'SIGN_IN_TOO_OLD')
  refused(t, await get('/ages', headers), 403, 'SIGN_IN_TOO_OLD')
  refused(t, await get('/people', headers), 403, 'MODE_REQUIRED')
  const cookie = cookieHeader(await signIn('cookie'))
  for (const url of ['/fresh', '/ages', '/people']) t.equal((await get(url, cookie)).statusCode, 200)
})

function scopedRoutes(app: FastifyInstance): void {
  app.get('/read', { preHandler: app.guard({ scope: 'read' }) }, async () => 'in')
  app.get('/both', { preHandler: app.guard({ scope: ['read', 'write'] }) }, async () => 'in')
  app.get('/maybe', { preHandler: app.guard({ scope: 'read', optional: true }) }, async () => 'in')
  app.get('/two', { preHandler: [app.guard(), app.guard({ scope: 'write' })] }, async () => 'in')
}

t.test('guard({ scope }) lets in what has the scope, and says which one is missing', async (t) => {
  const { makeKey, get, signIn } = await setUp(t, { routes: scopedRoutes })
  const reader = await makeKey({ scopes: ['read'] })
  const none = await makeKey()
  const both = await makeKey({ scopes: ['write', 'read', 'read'] })
  t.equal((await get('/read', reader.headers)).statusCode, 200)
  t.equal((await get('/maybe', reader.headers)).statusCode, 200)
  t.equal((await get('/both', both.headers)).statusCode, 200)
  const missing = [
    ['/read', none, 'read'],
    ['/maybe', none, 'read'],
    ['/both', reader, 'read write'],
    ['/two', reader, 'write'],
  ] as const
  for (const [url, { headers }, scope] of missing) {
    const answer = await get(url, headers)
    refused(t, answer, 403, 'SCOPE_REQUIRED', url)
    t.equal(answer.headers['www-authenticate'], `Bearer error="insufficient_scope", scope="${scope}"`)
  }
  t.equal((await get('/maybe', {})).statusCode, 200)
  for (const mode of ['cookie', 'session']) {
    const headers = cookieHeader(await signIn(mode))
    for (const url of ['/read', '/both', '/maybe', '/two'])
      t.equal((await get(url, headers)).statusCode, 200, `${mode} has all scopes`)
  }
})

t.test('a scope is not a part of another one, and a claim gives none', async (t) => {
  const { makeKey, get } = await setUp(t, { routes: scopedRoutes })
  const tricks = [['reads'], ['rea'], ['READ'], ['read,write'], ['*'], ['toString'], ['__proto__']]
  for (const scopes of tricks) {
    const { headers } = await makeKey({ scopes }, { claims: { scopes: ['read'], scope: 'read' } })
    refused(t, await get('/read', headers), 403, 'SCOPE_REQUIRED', String(scopes))
  }
})

t.test('a scope or a name that cannot be carried is refused', async (t) => {
  const { make, app } = await setUp(t)
  const scopes = [[''], ['a b'], ['a"b'], ['a\\b'], ['ä'], ['a\n'], 'read', [1], [null], Array(33).fill('a')]
  for (const bad of scopes) refused(t, await make({ scopes: bad }), 500, 'OPTION_INVALID', String(bad))
  for (const name of ['a\nb', '\u202eevil', 'x'.repeat(101), 7, '\ud800', '\u0000'])
    refused(t, await make({ name }), 500, 'OPTION_INVALID', String(name))
  refused(t, await make({ nmae: 'x' }), 500, 'OPTION_INVALID', 'a misspelt option')
  t.same(await app.apiKeys.list(ALICE.id), [])
  for (const scope of [undefined, '', [], ['a b'], 7])
    t.throws(() => app.guard({ scope: scope as never }), { code: 'OPTION_INVALID' }, String(scope))
})

t.test('last use is written at most once a minute, in groups, and nobody waits', async (t) => {
  const { makeKey, me, source, clock, app } = await setUp(t)
  const groups: (readonly string[])[] = []
  const { noteUse } = source
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  Object.assign(source, {
    async noteUse(ids: readonly string[], at: number) {
      groups.push(ids)
      await released
      await noteUse(ids, at)
    },
  })
  const keys = [await makeKey(), await makeKey(), await makeKey()]
  const use = async () => {
    for (const { headers } of keys) t.equal((await me(headers)).statusCode, 200, 'though the write hangs')
  }
  for (let round = 0; round < 4; round++) await use()
  while (groups.length === 0) await new Promise(setImmediate)
  clock.advance(61)
  for (let round = 0; round < 4; round++) await use()
  t.equal(groups.length, 1, 'one write at a time')
  release()
  await app.close()
  const ids = keys.map(({ id }) => id)
  t.same(groups.flat().sort(), [...ids, ...ids].sort(), 'twice in two minutes, and none is lost at the stop')
  t.equal(groups.length, 2, 'those that waited were one group')
  const used = (await source.list(ALICE.id, clock.now)).map(({ lastUsedAt }) => lastUsedAt)
  t.same(used, Array(3).fill(START + 61_000))
})

t.test('a failed write of the last use fails no request', async (t) => {
  const { makeKey, me, source, clock } = await setUp(t)
  Object.assign(source, { noteUse: () => Promise.reject(new Error('the database is away')) })
  const { headers } = await makeKey()
  clock.advance(61)
  t.equal((await me(headers)).statusCode, 200)
})

t.test('audit events name the mode, and no credential', async (t) => {
  const { makeKey, signOut, events } = await setUp(t)
  const { id, key, headers } = await makeKey()
  t.same((await signOut('api_key', headers)).json(), { ended: true })
  t.match(events, [
    { type: 'signed_in', mode: 'api_key', signInId: id, accountId: ALICE.id },
    { type: 'signed_out', mode: 'api_key', signInId: id, accountId: ALICE.id },
  ])
  t.notMatch(JSON.stringify(events), key)
})

t.test('with accounts of one’s own a source is wanted, and it must be whole', async (t) => {
  const boot = (source: unknown) => setUp(t, { keys: { source: source as never } })
  await t.rejects(boot({}), { code: 'OPTION_INVALID' })
  const { source } = memoryApiKeys(() => null)
  await t.rejects(boot({ ...source, end: undefined }), /has no end/)
  const bare = buildSuite(t, { modes: [async (app) => void (await app.register(apiKeyAuth))] })
  await t.rejects(bare, /source wants an ApiKeySource/)
  await t.rejects(setUp(t, { keys: { cap: 0 } }), { code: 'OPTION_INVALID' })
  await t.rejects(setUp(t, { keys: { lifetime: 5 } as never }), { code: 'OPTION_INVALID' })
})

t.test('a store that cannot answer is 503, and nothing is remembered of it', async (t) => {
  const { makeElsewhere, me, source } = await setUp(t, { throttled: true })
  const { headers } = await makeElsewhere()
  const { find } = source
  const down = Object.assign(new Error('the database is away'), {
    statusCode: 503,
    code: 'STORE_UNAVAILABLE',
  })
  Object.assign(source, { find: () => Promise.reject(down) })
  for (let attempt = 0; attempt < 10; attempt++) refused(t, await me(headers), 503, 'STORE_UNAVAILABLE')
  Object.assign(source, { find })
  t.equal((await me(headers)).statusCode, 200, 'at once, and not throttled')
})

t.test('the ref of a verified key is that of its sign-in', async (t) => {
  const { makeKey, app, me } = await setUp(t)
  const { id, headers } = await makeKey()
  const identity = (await me(headers)).json()
  t.match(identity, { signInId: id, accountId: ALICE.id, mode: 'api_key', username: 'alice', role: 'admin' })
  const ref: SignInRef = {
    accountId: ALICE.id,
    signInId: id,
    epoch: 0,
    generation: await app.stateStore.generation(),
  }
  t.equal(await app.signIns.isLive(ref), true)
})
