import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import fp from 'fastify-plugin'
import { type Test, test } from 'tap'
import userCenter, { serverOptions } from '../../app.js'
import type { AuditEvent } from '../../plugins/audit.js'
import { Busy, StoreUnavailable } from '../../plugins/lib/errors.js'
import { eventually } from '../helpers/followed.js'
import {
  ADMIN,
  type Credential,
  deviceOf,
  listen,
  MODES,
  post,
  refusedByCenter,
  sendRaw,
  signIn,
  USER,
} from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { makeDataDir, startUserCenter, testClock } from '../helpers/user-center.js'

const WRONG = { ...USER, password: 'a wrong password' }
const NOBODY = { ...WRONG, username: 'nobody' }

/** Logs in by the way whose answer is shortest, from an address of one's own choosing. */
function tryLogin(app: FastifyInstance, who: object, headers: Credential = {}, remoteAddress = '10.0.0.1') {
  return app.inject({ method: 'POST', url: '/login_token', payload: who, headers, remoteAddress })
}

async function fail(app: FastifyInstance, times: number, who: object = WRONG, headers: Credential = {}) {
  for (let count = 0; count < times; count++) {
    const answer = await tryLogin(app, who, headers)
    if (answer.statusCode !== 401) throw new Error(`${answer.statusCode} ${answer.body}`)
  }
}

/** The user center, on accounts that hash no wrong guess, count them, and can be made to fail. */
async function start(t: Test, env: Record<string, string> = {}, clock = testClock()) {
  const center = await startUserCenter(t, env, clock)
  const { accountSource } = center.app
  const count = { verified: 0, failing: null as Error | null }
  center.app.accountSource = {
    find: (id) => accountSource.find(id),
    async verify(username, password) {
      count.verified++
      if (count.failing) throw count.failing
      return password === WRONG.password ? null : accountSource.verify(username, password)
    },
  }
  return { ...center, count }
}

function throttled(t: Test, answer: LightMyRequestResponse, seconds: number, why: string) {
  refusedByCenter(t, answer, 429, 'THROTTLED', why)
  t.equal(answer.headers['retry-after'], String(seconds), `${why}: when to come back`)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.equal(answer.headers['set-cookie'], undefined)
}

const withoutDate = ({ statusCode, headers, body }: LightMyRequestResponse) => ({
  statusCode,
  body,
  headers: { ...headers, date: '' },
})

test('after ten failures an account is throttled in every mode, whether or not there is one', async (t) => {
  const { app, clock, count } = await start(t)
  await fail(app, 10)
  await fail(app, 10, NOBODY)
  for (const mode of MODES) {
    const existing = await post(app, `/login_${mode}`, USER)
    throttled(t, existing, 60, mode)
    t.strictSame(
      withoutDate(await post(app, `/login_${mode}`, NOBODY)),
      withoutDate(existing),
      'byte for byte',
    )
  }
  t.equal(count.verified, 20, 'nothing reached the hasher since')
  t.equal((await tryLogin(app, ADMIN)).statusCode, 200, 'others are not concerned')
  clock.advance(60)
  await fail(app, 1)
  throttled(t, await tryLogin(app, USER), 120, 'the delay grows')
  clock.advance(120)
  t.equal((await tryLogin(app, USER)).statusCode, 200, 'no lock lasts')
  await fail(app, 9)
  t.equal((await tryLogin(app, USER)).statusCode, 200, 'and who is granted begins anew')
})

test('the checks before the throttle stay before it', async (t) => {
  const { app } = await start(t, { LOGIN_LIMIT_ACCOUNT: '1' })
  await fail(app, 1)
  throttled(t, await tryLogin(app, USER), 60, 'the limit is an option')
  refusedByCenter(t, await tryLogin(app, { ...USER, extra: 1 }), 400, 'BODY_INVALID')
  refusedByCenter(t, await tryLogin(app, { ...USER, password: 'x'.repeat(20_000) }), 413, 'BODY_TOO_LARGE')
  refusedByCenter(t, await tryLogin(app, USER, { origin: 'https://evil.example' }), 403, 'CROSS_SITE')
  for (const who of [{ ...NOBODY, extra: 1 }, NOBODY]) {
    await tryLogin(app, who, { origin: 'https://evil.example' })
  }
  await fail(app, 1, NOBODY)
})

test('variants of a name are one name, and what is no username is counted too', async (t) => {
  const { app } = await start(t)
  const variants = ['user1', 'USER1', 'User1', 'ｕｓｅｒ１', ' user1', 'user1 ', 'us\u200ber1', 'us\u00ader1']
  for (const username of [...variants, 'uSer1', '\tuser1']) await fail(app, 1, { ...WRONG, username })
  for (const username of [...variants, '\u202euser1']) {
    refusedByCenter(t, await tryLogin(app, { ...USER, username }), 429, 'THROTTLED', JSON.stringify(username))
  }
  for (const username of ['__proto__', 'constructor', "' OR 1=1 --", '{"$ne":""}', 'x'.repeat(256)]) {
    await fail(app, 10, { ...WRONG, username })
    refusedByCenter(t, await tryLogin(app, { ...USER, username }), 429, 'THROTTLED', username.slice(0, 20))
  }
})

test('an address is throttled over all accounts, and gets back only its own', async (t) => {
  const { app, clock } = await start(t, { LOGIN_LIMIT_ADDRESS: '5' })
  const from = (address: string, who: object) => tryLogin(app, who, {}, address)
  for (let name = 0; name < 4; name++) await from('10.1.1.1', { ...WRONG, username: `nobody ${name}` })
  t.equal((await from('10.1.1.1', USER)).statusCode, 200)
  t.equal((await from('10.1.1.1', USER)).statusCode, 200, 'the right ones take no room')
  t.equal((await from('10.1.1.1', WRONG)).statusCode, 401)
  throttled(t, await from('10.1.1.1', USER), 900, 'five failures, and no more by two successes between them')
  throttled(t, await from('::ffff:10.1.1.1', ADMIN), 900, 'IPv4 mapped into IPv6 is IPv4')
  throttled(t, await from('::ffff:a01:101', ADMIN), 900, 'however it is written')
  t.equal((await from('10.1.1.2', USER)).statusCode, 200)
  for (let host = 1; host <= 5; host++)
    await from(`2001:db8:1:2::${host}`, { ...WRONG, username: `n ${host}` })
  throttled(t, await from('2001:db8:1:2:ffff:ffff:ffff:ffff', USER), 900, 'IPv6 by its /64')
  t.equal((await from('2001:db8:1:3::1', USER)).statusCode, 200)
  clock.advance(900)
  t.equal((await from('10.1.1.1', USER)).statusCode, 200)
})

test('a patient guesser of one account is throttled at one address, and not at another', async (t) => {
  const { app, clock } = await start(t)
  for (let quarter = 0; quarter < 2; quarter++) {
    await fail(app, 9)
    clock.advance(900)
  }
  await fail(app, 2)
  throttled(t, await tryLogin(app, USER), 1800, 'twenty in an hour')
  const elsewhere = await tryLogin(app, WRONG, {}, '10.0.0.2')
  t.equal(elsewhere.statusCode, 401)
})

test('X-Forwarded-For counts only behind a proxy that is trusted', async (t) => {
  const { app } = await start(t, { LOGIN_LIMIT_ADDRESS: '2' })
  const forwarded = (ip: number | string) => ({ 'x-forwarded-for': `192.0.2.${ip}` })
  for (let ip = 0; ip < 2; ip++) await tryLogin(app, NOBODY, forwarded(ip))
  refusedByCenter(t, await tryLogin(app, USER, forwarded(3)), 429, 'THROTTLED', 'what the client wrote')
  const { app: behind } = await start(t, { LOGIN_LIMIT_ADDRESS: '2', TRUST_PROXY: '10.0.0.0/8' })
  for (let count = 0; count < 2; count++) await tryLogin(behind, NOBODY, forwarded(1))
  refusedByCenter(t, await tryLogin(behind, USER, forwarded(1)), 429, 'THROTTLED', 'what the proxy wrote')
  t.equal((await tryLogin(behind, USER, forwarded(2))).statusCode, 200)
  refusedByCenter(t, await tryLogin(behind, USER, forwarded(1), '10.9.9.9'), 429, 'THROTTLED')
  for (const port of [49_152, 49_153]) await tryLogin(behind, NOBODY, forwarded(`5:${port}`))
  refusedByCenter(
    t,
    await tryLogin(behind, USER, forwarded('5:49154')),
    429,
    'THROTTLED',
    'a port makes no other',
  )
  const spoofed = { 'x-forwarded-for': '192.0.2.77, 192.0.2.1' }
  refusedByCenter(t, await tryLogin(behind, USER, spoofed), 429, 'THROTTLED', 'only what the proxy added')
})

test('what was shed or failed on our side is no attempt; nothing less than a sign-in resets', async (t) => {
  const { app, count } = await start(t, { LOGIN_LIMIT_ADDRESS: '12' })
  for (const failing of [new Busy(), new StoreUnavailable(), new Error('a fault of the source')]) {
    count.failing = failing
    for (let times = 0; times < 15; times++) t.ok((await tryLogin(app, WRONG)).statusCode >= 500)
  }
  count.failing = null
  await fail(app, 9)
  const { addSignIn } = app.stateStore
  app.stateStore.addSignIn = () => Promise.reject(new StoreUnavailable())
  refusedByCenter(t, await tryLogin(app, USER), 503, 'STORE_UNAVAILABLE', 'the right password')
  app.stateStore.addSignIn = addSignIn
  await fail(app, 1)
  refusedByCenter(t, await tryLogin(app, USER), 429, 'THROTTLED', 'it had reset nothing')
})

test('wrong current passwords count against the account; a right one resets nothing', async (t) => {
  const { app } = await start(t)
  const { credential } = await signIn(app, 'token')
  const change = (current_password: string) =>
    post(app, '/password', { current_password, new_password: 'a password that is new' }, credential)
  await fail(app, 5)
  for (let times = 0; times < 4; times++)
    refusedByCenter(t, await change('wrong'), 401, 'CREDENTIALS_REFUSED')
  t.equal((await change(USER.password)).statusCode, 200)
  refusedByCenter(t, await change('wrong'), 401, 'CREDENTIALS_REFUSED')
  throttled(t, await change('a password that is new'), 60, 'ten, over both routes')
  refusedByCenter(t, await tryLogin(app, { ...USER, password: 'a password that is new' }), 429, 'THROTTLED')
  const short = { current_password: 'wrong', new_password: 'short' }
  refusedByCenter(
    t,
    await post(app, '/password', short, credential),
    422,
    'PASSWORD_REFUSED',
    'before the throttle',
  )
})

test('refused refreshes count against the address, together with sign-ins; retries do not', async (t) => {
  const { app } = await start(t, { LOGIN_LIMIT_ADDRESS: '3' })
  const refresh = (refresh_token: string) => post(app, '/refresh_token', { refresh_token })
  const { refreshToken } = await signIn(app, 'token')
  for (let times = 0; times < 8; times++) t.equal((await refresh(refreshToken)).statusCode, 200, 'a retry')
  for (let times = 0; times < 2; times++) refusedByCenter(t, await refresh('made up'), 401, 'REFRESH_REFUSED')
  refusedByCenter(t, await post(app, '/login_cookie', WRONG), 401, 'CREDENTIALS_REFUSED')
  throttled(t, await refresh(refreshToken), 900, 'a good one too')
  throttled(t, await post(app, '/login_cookie', USER), 900, 'and a sign-in')
})

test('registrations count against the address, whatever comes of them', async (t) => {
  const { app } = await start(t, { LOGIN_LIMIT_ADDRESS: '3' })
  const register = (username: string) => post(app, '/register', { username, password: 'a good enough one' })
  t.equal((await register('zoe')).statusCode, 201)
  refusedByCenter(t, await register('zoe'), 409, 'USERNAME_TAKEN')
  refusedByCenter(t, await register(' '), 400, 'USERNAME_INVALID')
  t.equal((await register('yan')).statusCode, 201)
  throttled(t, await register('xenia'), 900, 'a third account')
  throttled(t, await register('zoe'), 900, 'nor is told whether a name is taken')
})

test('of 100 parallel guesses ten reach the hasher, by one instance or by two on one Redis', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const one = await start(t)
  const two = await start(t, { REDIS_URL: redis.url })
  const shared = { REDIS_URL: redis.url, DATA_DIR: two.dataDir }
  const three = await start(t, shared, two.clock)
  for (const centers of [[one], [two, three]]) {
    const ports = await Promise.all(centers.map(({ app }) => listen(app)))
    const verified = () => centers.reduce((sum, { count }) => sum + count.verified, 0)
    const body = JSON.stringify(WRONG)
    const head = `POST /login_token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json`
    const request = `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const storm = (size: number) =>
      Promise.all(
        Array.from({ length: size }, (_, index) => sendRaw(ports[index % ports.length] ?? 0, request)),
      )
    const statuses = (await storm(100)).map((answer) => answer.slice(9, 12)).sort()
    t.equal(verified(), 10, `instances: ${centers.length}`)
    t.strictSame([...new Set(statuses)], ['401', '429'])
    t.equal(statuses.filter((status) => status === '401').length, 10)
    await storm(20)
    t.equal(verified(), 10, 'nor any later')
  }
})

test('Redis down: this process counts by itself, and hands back when Redis is there', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const { app, dataDir, clock, count } = await start(t, { REDIS_URL: redis.url })
  await fail(app, 5)
  await redis.kill()
  await fail(app, 10)
  throttled(t, await tryLogin(app, USER), 60, 'without Redis')
  refusedByCenter(
    t,
    await tryLogin(app, ADMIN),
    503,
    'STORE_UNAVAILABLE',
    'granted, but nowhere to be stored',
  )
  t.equal(count.verified, 16)
  await redis.start()
  await eventually(async () => (await tryLogin(app, USER)).statusCode === 200)
  const env = { REDIS_URL: redis.url, DATA_DIR: dataDir }
  const { app: other } = await start(t, env, clock)
  await fail(app, 5)
  await fail(other, 5)
  for (const each of [app, other])
    refusedByCenter(t, await tryLogin(each, USER), 429, 'THROTTLED', 'counted by both')
  redis.pause()
  const answer = await tryLogin(other, WRONG)
  t.equal(answer.statusCode, 401, 'a Redis that hangs is one that is down')
  redis.resume()
})

test('the log and the events know no name that was typed', async (t) => {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const env = { DATA_DIR: makeDataDir(t), LOGIN_LIMIT_ACCOUNT: '1', LOGIN_LIMIT_ADDRESS: '3' }
  const app = Fastify({ ...serverOptions(env), logger: { stream, level: 'trace' } })
  t.teardown(() => app.close())
  await app.register(fp(userCenter), { env })
  await app.ready()
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void (event.type === 'throttled' && events.push(event)))
  const username = 'my password, by mistake'
  await tryLogin(app, { ...WRONG, username })
  await tryLogin(app, { ...WRONG, username })
  const { response, credential } = await signIn(app, 'cookie')
  const device = { cookie: deviceOf(response) }
  await fail(app, 1, WRONG, device)
  await tryLogin(app, WRONG, device)
  const change = { current_password: 'wrong', new_password: 'a password that is new' }
  await post(app, '/password', change, credential)
  await post(app, '/password', change, credential)
  for (let times = 0; times < 3; times++) await tryLogin(app, { ...WRONG, username: `other ${times}` })
  await tryLogin(app, USER)
  const told = events.map((event) =>
    event.type === 'throttled' ? [event.what, event.by, event.accountId] : [],
  )
  const account = await app.accounts.findByUsername('user1')
  t.strictSame(told, [
    ['sign_in', 'account', null],
    ['sign_in', 'device', account?.id],
    ['password', 'account', account?.id],
    ['sign_in', 'address', null],
    ['sign_in', 'address', null],
  ])
  for (const line of lines) t.notMatch(line, /my password|other \d/)
  t.ok(lines.some((line) => line.includes('"msg":"throttled"')))
})

test('a device that somebody signed in from is not locked out by others', async (t) => {
  const { app, clock } = await start(t)
  const devices: Credential[] = []
  for (const mode of ['cookie', 'session'] as const) {
    const { response } = await signIn(app, mode)
    const cookie = response.cookies.find(({ name }) => name === 'device')
    t.match(cookie, { httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 7_776_000 })
    devices.push({ cookie: deviceOf(response) })
  }
  const { response: byToken } = await signIn(app, 'token')
  t.equal(byToken.headers['set-cookie'], undefined, 'a token sign-in makes no device known')
  await fail(app, 10)
  refusedByCenter(t, await tryLogin(app, USER), 429, 'THROTTLED')
  for (const device of devices) t.equal((await tryLogin(app, USER, device)).statusCode, 200)
  const [device = {}, other = {}] = devices
  await fail(app, 10, WRONG, device)
  throttled(t, await tryLogin(app, USER, device), 60, 'with the same limits')
  t.equal((await tryLogin(app, USER, other)).statusCode, 200, 'each its own')
  refusedByCenter(
    t,
    await tryLogin(app, USER),
    429,
    'THROTTLED',
    'what is granted to it resets nothing of others',
  )
  clock.advance(60)
  t.equal((await tryLogin(app, USER, device)).statusCode, 200)
  await fail(app, 9, WRONG, device)
  const again = await signIn(app, 'cookie', USER, device)
  await fail(app, 9, WRONG, { cookie: deviceOf(again.response) })
  await fail(app, 1, WRONG, device)
  refusedByCenter(
    t,
    await tryLogin(app, USER, device),
    429,
    'THROTTLED',
    'signed in again it is the same device',
  )
})

test('only the genuine cookie of this account and its present epoch makes a device known', async (t) => {
  const { app, clock } = await start(t)
  const { response, credential } = await signIn(app, 'cookie')
  const cookie = deviceOf(response)
  const { response: foreign } = await signIn(app, 'session', ADMIN)
  const second = deviceOf((await signIn(app, 'cookie')).response)
  await fail(app, 10)
  const [name = '', value = ''] = cookie.split(/=(.*)/s)
  const [version, id, payload = '', mac] = value.split('.')
  const content = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const altered = Buffer.from(JSON.stringify({ ...content, id: 'x'.repeat(22) })).toString('base64url')
  const refusedCookies = {
    'of another account': deviceOf(foreign),
    'sent twice': `${cookie}; ${cookie}`,
    'sent beside another': `${cookie}; ${second}`,
    altered: `${name}=${version}.${id}.${altered}.${mac}`,
    'an auth cookie in its place': `${name}=${credential.cookie?.replace(/^identity=/, '')}`,
    'under another key': `${name}=${version}.AAAAAAAA.${payload}.${mac}`,
    empty: `${name}=`,
  }
  const plain = withoutDate(await tryLogin(app, USER))
  for (const [why, sent] of Object.entries(refusedCookies)) {
    const answer = await tryLogin(app, USER, { cookie: sent })
    refusedByCenter(t, answer, 429, 'THROTTLED', why)
    t.strictSame(withoutDate(answer), plain, `${why}: nothing tells it from none`)
  }
  const wrong = await tryLogin(app, { ...WRONG, username: 'USER1' }, { cookie })
  refusedByCenter(t, wrong, 401, 'CREDENTIALS_REFUSED', 'the genuine one')
  t.equal(wrong.headers['set-cookie'], undefined)
  await app.accounts.raiseEpoch(content.sub)
  refusedByCenter(t, await tryLogin(app, USER, { cookie }), 429, 'THROTTLED', 'of an epoch that is over')
  clock.advance(60)
  const renewed = deviceOf((await signIn(app, 'cookie', USER, { cookie })).response)
  t.not(renewed, cookie)
  await fail(app, 10)
  t.equal((await tryLogin(app, WRONG, { cookie: renewed })).statusCode, 401)
  await app.accounts.setDisabled(content.sub, true)
  refusedByCenter(
    t,
    await tryLogin(app, USER, { cookie: renewed }),
    429,
    'THROTTLED',
    'of an account that is disabled',
  )
  await app.accounts.setDisabled(content.sub, false)
  clock.advance(3600)
  const last = deviceOf((await signIn(app, 'cookie')).response)
  await fail(app, 10)
  clock.advance(7_776_000 - 1)
  await fail(app, 10)
  t.equal((await tryLogin(app, USER, { cookie: last })).statusCode, 200, 'until its last second')
  clock.advance(1)
  refusedByCenter(t, await tryLogin(app, USER, { cookie: last }), 429, 'THROTTLED', 'and no longer')
})

test('COOKIE_SECURE covers the device cookie as well', async (t) => {
  const { app } = await start(t, { COOKIE_SECURE: 'true' })
  const { response } = await signIn(app, 'cookie')
  const cookie = response.cookies.find(({ name }) => name === '__Host-device')
  t.match(cookie, { secure: true, httpOnly: true, path: '/' })
  t.equal(cookie?.domain, undefined)
})

test('what was counted outlives a restart on the embedded store', async (t) => {
  const first = await start(t)
  await fail(first.app, 10)
  await first.app.close()
  const { app } = await start(t, { DATA_DIR: first.dataDir }, first.clock)
  refusedByCenter(t, await tryLogin(app, USER), 429, 'THROTTLED')
})
