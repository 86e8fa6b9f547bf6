import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import Fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify'
import { type Test, test } from 'tap'
import userCenter, { options, serverOptions } from '../app.js'
import { AUDIT_CHANNEL, type AuditEvent } from '../plugins/audit.js'
import { ADMIN, type Credential, listen, MODES, type Mode, sendRaw, signIn, USER } from './helpers/http.js'
import { startRedis } from './helpers/redis-server.js'
import { totpCode } from './helpers/totp.js'
import { type CenterClock, makeDataDir, testClock } from './helpers/user-center.js'

const SECRETS = [
  'the first secret of this test and long enough',
  'the second secret of it and as long as that',
]
const REDIS_PASSWORD = 'the-password-of-redis'

/** Shorter parts than this are words, versions and key ids. */
const PART_MIN = 16

/** A text, and how else it may have been written down. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const encoded = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
  return [secret, encodeURIComponent(secret), ...encoded, bytes.toString('hex')]
}

/** Lists of numbers, as bytes are written in JSON. */
function bytesIn(line: string): string {
  const lists = [...line.matchAll(/\[(\d{1,3}(?:,\d{1,3}){7,})\]/g)]
  return lists.map(([, list = '']) => Buffer.from(list.split(',').map(Number)).toString('latin1')).join('\n')
}

/** Everything that was issued or sent and must be nowhere. */
class Secrets {
  readonly #all = new Map<string, string>()

  /** The whole, and each part of it: a signature alone is half of a forgery. */
  add(what: string, text: string): string {
    this.#all.set(text, what)
    for (const part of text.split('.')) if (part.length >= PART_MIN) this.#all.set(part, `a part of ${what}`)
    return text
  }

  /** What of it is in the text. */
  findIn(text: string): string[] {
    const whole = `${text}\n${bytesIn(text)}`
    const found = [...this.#all].filter(([secret]) => spellings(secret).some((each) => whole.includes(each)))
    return [...new Set(found.map(([, what]) => what))]
  }

  get size(): number {
    return this.#all.size
  }
}

interface Watched {
  readonly app: FastifyInstance
  readonly clock: CenterClock
  /** The user, with the password of the moment. */
  readonly user: { readonly username: string; password: string }
  readonly secrets: Secrets
  readonly events: AuditEvent[]
  /** Everything that was logged, and written to the process's own streams. */
  readonly written: string[]
  /** Sends a request; a failure's answer is looked through. */
  send(request: InjectOptions): Promise<LightMyRequestResponse>
}

/** What the process writes past the log. */
function watchStreams(t: Test, written: string[]): void {
  for (const stream of [process.stdout, process.stderr]) {
    const { write } = stream
    stream.write = ((...args: Parameters<typeof write>) => {
      written.push(String(args[0]))
      return Reflect.apply(write, stream, args)
    }) as typeof write
    t.teardown(() => Object.assign(stream, { write }))
  }
}

function watchEvents(t: Test): AuditEvent[] {
  const events: AuditEvent[] = []
  const listener = (event: unknown) => void events.push(event as AuditEvent)
  subscribe(AUDIT_CHANNEL, listener)
  t.teardown(() => unsubscribe(AUDIT_CHANNEL, listener))
  return events
}

/** The user center as fastify-cli runs it, but that it logs everything, to us. */
async function watchedUserCenter(t: Test, more: Record<string, string> = {}): Promise<Watched> {
  const env = { DATA_DIR: makeDataDir(t), AUTH_SECRETS: SECRETS.join(','), COOKIE_SECURE: 'true', ...more }
  const written: string[] = []
  const stream = { write: (line: string) => void written.push(line) }
  const logger = Object.assign({}, options.logger, { level: 'trace', stream })
  const app = Fastify({ ...serverOptions(env), pluginTimeout: 0, logger })
  t.teardown(() => app.close())
  watchStreams(t, written)
  const clock = testClock()
  await app.register(userCenter, { env, clock, referenceClock: clock })
  await app.ready()
  const secrets = new Secrets()
  for (const secret of SECRETS) secrets.add('a secret of the server', secret)
  const send: Watched['send'] = async (request) => {
    const response = await app.inject(request)
    noteAnswer(secrets, response)
    if (response.statusCode >= 400) t.same(secrets.findIn(response.body), [], `the answer ${response.body}`)
    return response
  }
  return { app, clock, user: { ...USER }, secrets, written, events: watchEvents(t), send }
}

function noteAnswer(secrets: Secrets, response: LightMyRequestResponse): void {
  for (const { name, value } of response.cookies) if (value) secrets.add(`a ${name} cookie`, value)
  if (!response.headers['content-type']?.toString().includes('json')) return
  const { token, refresh_token } = response.json().data ?? {}
  if (token) secrets.add('an access token', token)
  if (refresh_token) secrets.add('a refresh token', refresh_token)
}

interface Held {
  readonly mode: Mode
  readonly credential: Credential
  readonly refreshToken: string
  /** The credential's own text. */
  readonly text: string
}

async function enter({ app, secrets, user }: Watched, mode: Mode, who: object = user): Promise<Held> {
  const { response, credential, refreshToken } = await signIn(app, mode, who)
  noteAnswer(secrets, response)
  const text = (credential.authorization ?? credential.cookie ?? '').replace(/^(Bearer |[^=]+=)/, '')
  return { mode, credential, refreshToken, text }
}

/** Every way not to get in. */
async function failToEnter({ send, secrets }: Watched, mode: Mode): Promise<void> {
  const url = `/login_${mode}`
  const typed = secrets.add('a password that was typed', `a wrong password, by ${mode}`)
  const post = (payload: object | string, headers: Credential = {}) =>
    send({ method: 'POST', url, payload, headers })
  const json = { 'content-type': 'application/json' }
  for (const username of [USER.username, 'nobody', typed]) await post({ username, password: typed })
  await post({ username: [typed], password: typed })
  await post({ username: 'user1', password: typed, [typed]: typed })
  await post({ username: 'user1', password: typed.repeat(99) })
  await post({ username: 'user1', password: typed, remember: typed })
  await post(`{"username":"user1","password":"${typed}`, json)
  await post(`${typed} is no JSON`, json)
  await post(`"${typed}"`, json)
  await post(JSON.stringify({ password: typed.repeat(9999) }), json)
  await post(`username=user1&password=${typed}`, { 'content-type': 'application/x-www-form-urlencoded' })
  await post(typed, { 'content-type': 'text/plain' })
  await post({ ...USER }, { origin: 'https://evil.example', referer: `https://evil.example/?${typed}` })
  await send({ url: `${url}?username=user1&password=${encodeURIComponent(typed)}` })
}

/** A credential as good as the one given, but for its last character. */
const altered = (text: string) => text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A')

async function useCredential({ send, secrets }: Watched, { credential, text }: Held): Promise<void> {
  const bad = secrets.add('an altered credential', altered(text))
  const [[name = '', value = ''] = []] = Object.entries(credential)
  const forms = [value, value.replace(text, bad), `${value}; ${value}`, `${value}, ${value}`, `${value} `]
  for (const form of forms) {
    for (const url of ['/user_info', '/sign_ins']) await send({ url, headers: { [name]: form } })
    await send({ method: 'DELETE', url: '/sign_ins/nothing', headers: { [name]: form } })
  }
  await send({ url: '/user_info', headers: { authorization: `Basic ${text}` } })
  await send({ url: '/user_info', headers: { authorization: `Bearer  ${text}` } })
  await send({ url: '/user_info', headers: { [name]: value, accept: text, 'user-agent': 'leaks' } })
  await send({
    method: 'DELETE',
    url: '/sign_ins',
    headers: { ...credential, origin: 'https://evil.example' },
  })
}

async function misplaceCredential({ send }: Watched, { credential, text }: Held): Promise<void> {
  const query = `token=${text}&access_token=${encodeURIComponent(text)}`
  for (const path of ['/user_info', '/nowhere', '/%zz', '/sign_ins', `/sign_ins/${'x'.repeat(999)}`]) {
    await send({ url: `${path}?${query}` })
    await send({ method: 'DELETE', url: `${path}?${query}`, headers: credential })
  }
  await send({ method: 'POST', url: `/login_token?${query}`, payload: { token: text } })
  await send({ method: 'PUT', url: '/user_info', payload: text, headers: { 'content-type': text } })
}

async function refresh({ send, secrets }: Watched, refreshToken: string): Promise<string> {
  const request = { method: 'POST', url: '/refresh_token', payload: { refresh_token: refreshToken } } as const
  secrets.add('a refresh token', refreshToken)
  return (await send(request)).json().data?.refresh_token ?? ''
}

/** Exchanges, a retry, two that are bad, and a theft. */
async function refreshAndSteal(watched: Watched): Promise<void> {
  const { send, secrets } = watched
  const { refreshToken: first, text } = await enter(watched, 'token')
  const second = await refresh(watched, first)
  await refresh(watched, first)
  const third = await refresh(watched, second)
  await refresh(watched, secrets.add('an altered refresh token', altered(third)))
  await refresh(watched, text)
  await send({ method: 'POST', url: '/refresh_token', payload: { refresh_token: [third] } })
  await send({ method: 'POST', url: '/refresh_token', payload: { refresh_token: third, more: third } })
  await refresh(watched, first)
  await refresh(watched, third)
}

async function leave({ send }: Watched, { mode, credential, refreshToken, text }: Held): Promise<void> {
  const url = `/logout_${mode}`
  const foreign = { ...credential, 'sec-fetch-site': 'cross-site' }
  await send({ url, headers: foreign })
  await send({ url, headers: { ...credential, 'sec-purpose': 'prefetch' } })
  await send({ url: `${url}?token=${text}`, headers: { ...credential, authorization: 'Bearer' } })
  await send({ method: 'POST', url, headers: credential, payload: { refresh_token: [refreshToken, text] } })
  for (const method of ['POST', 'GET'] as const) await send({ method, url, headers: credential })
  await send({ method: 'POST', url, payload: { refresh_token: refreshToken || text } })
}

async function endSignIns(watched: Watched, mode: Mode): Promise<void> {
  const { send } = watched
  const other = await enter(watched, mode)
  const { credential: headers } = await enter(watched, mode)
  const list = (await send({ url: '/sign_ins', headers })).json().data
  const id = list.find(({ current }: { current: boolean }) => !current)?.id
  await send({ method: 'DELETE', url: `/sign_ins/${id}`, headers })
  await useCredential(watched, other)
  await send({ method: 'DELETE', url: '/sign_ins?except=current', headers })
  await send({ method: 'DELETE', url: '/sign_ins', headers })
}

/** Changes the user's password, and fails to. */
async function changePassword(watched: Watched, mode: Mode): Promise<void> {
  const { send, secrets, user } = watched
  const next = secrets.add('a new password', `the next one, by ${mode}`)
  const wrong = secrets.add('a wrong password', `not the one, by ${mode}`)
  const { credential: headers } = await enter(watched, mode)
  const change = (current_password: string, new_password: string, more: object = {}) =>
    send({ method: 'POST', url: '/password', headers, payload: { current_password, new_password, ...more } })
  await change(wrong, next)
  await change(user.password, secrets.add('a password that is too long', next.repeat(90)))
  await change(user.password, next, { [next]: next })
  const { statusCode } = await change(user.password, next)
  if (statusCode === 200) user.password = next
  await change(wrong, next)
}

/** What an administrator does, and everybody who registers: where the user center has a route for it. */
async function changeAccounts(watched: Watched, mode: Mode): Promise<void> {
  const { send, secrets } = watched
  const password = secrets.add('the password of a newcomer', `a newcomer, by ${mode}`)
  const newcomer = { username: `by-${mode}`, password }
  for (const payload of [
    newcomer,
    newcomer,
    { ...newcomer, role: 'admin' },
    { username: password, password },
  ])
    await send({ method: 'POST', url: '/register', payload })
  const { credential: headers } = await enter(watched, mode, ADMIN)
  for (const payload of [
    { role: 'admin' },
    { role: 'user' },
    { disabled: true },
    { disabled: false },
    { password },
  ])
    await send({ method: 'PATCH', url: '/accounts/user1', headers, payload })
  await send({ url: '/accounts', headers })
  await send({ method: 'DELETE', url: '/accounts/user1/sign_ins', headers })
  await send({ method: 'DELETE', url: '/accounts/nobody/sign_ins', headers })
}

/** What the parser of HTTP refuses, over a socket. */
async function breakHttp(t: Test, { app, secrets }: Watched, { credential }: Held): Promise<void> {
  const port = await listen(app)
  const [[name = '', value = ''] = []] = Object.entries(credential)
  const huge = `GET /user_info HTTP/1.1\r\nHost: x\r\n${name}: ${value}\r\nX-Huge: ${'x'.repeat(20_000)}\r\n\r\n`
  const broken = `GET /user_info HTTP/1.1\r\nHost: x\r\n${name}: ${value}\r\nno header\r\n\r\n`
  for (const [request, status, error] of [
    [huge, 431, 'HEADERS_TOO_LARGE'],
    [broken, 400, 'REQUEST_MALFORMED'],
  ] as const) {
    const answer = await sendRaw(port, request)
    t.match(
      answer,
      new RegExp(
        `^HTTP/1\\.1 ${status} [^]*\r\n\r\n\\{"code":${status},"msg":"[^"]+","error":"${error}"\\}$`,
      ),
    )
    t.same(secrets.findIn(answer), [])
  }
}

/** A key that is made, used, misused, misplaced and ended. */
async function useKeys(watched: Watched, mode: Mode): Promise<void> {
  const { send, secrets } = watched
  const { credential: person } = await enter(watched, mode)
  const make = (payload: object, headers = person) =>
    send({ method: 'POST', url: '/api_keys', headers, payload })
  const { id, key } = (await make({ name: `by ${mode}` })).json().data
  secrets.add('an API key', key)
  secrets.add('the secret of an API key', key.split('_')[2])
  const held: Held = { mode, credential: { authorization: `Bearer ${key}` }, refreshToken: '', text: key }
  await useCredential(watched, held)
  await misplaceCredential(watched, held)
  await make({ name: key, scopes: [key] })
  await make({ name: 'x', [key]: key })
  await make({ name: 'another' }, held.credential)
  await failToEnter(watched, mode)
  for (const url of [
    `/api_keys/${key}`,
    `/sign_ins/${key}`,
    `/accounts/${key}/sign_ins`,
    `/user_info/${key}`,
  ])
    for (const headers of [person, held.credential]) await send({ method: 'DELETE', url, headers })
  await send({ method: 'DELETE', url: `/api_keys/${id}`, headers: person })
  await useCredential(watched, held)
}

/** A refresh cookie that is used, used again, misplaced and ended. */
async function useRefreshCookie({ send, user, clock }: Watched): Promise<void> {
  const login = await send({
    method: 'POST',
    url: '/login_token',
    payload: { ...user, refresh_cookie: true },
  })
  const [{ name, value } = { name: '', value: '' }] = login.cookies
  const headers = { cookie: `${name}=${value}` }
  await send({ method: 'POST', url: '/refresh_token', headers })
  await send({ method: 'POST', url: '/refresh_token', headers, payload: { refresh_token: value } })
  await send({ url: `/user_info?refresh=${value}`, headers: { authorization: `Bearer ${value}` } })
  clock.advance(60)
  await send({ method: 'POST', url: '/refresh_token', headers })
  await send({ method: 'POST', url: '/logout_token', headers })
}

/** An authenticator app and recovery codes: added, given rightly and wrongly, used twice, misplaced and removed. */
async function useFactors(watched: Watched, mode: Mode): Promise<void> {
  const { send, secrets, clock } = watched
  const who = { username: `by-${mode}`, password: `a newcomer, by ${mode}` }
  const { credential: headers } = await enter(watched, mode, who)
  const post = (url: string, payload: object, more: Credential = headers) =>
    send({ method: 'POST', url, headers: more, payload })
  const { id, secret, uri } = (await post('/factors/totp', {})).json().data
  for (const text of [id, secret, uri]) secrets.add('an enrolment', text)
  const typed = secrets.add('a code that was typed', `no code, by ${mode} at all`)
  for (const code of [typed, '000000']) await post('/factors/totp/confirm', { id, code })
  await post('/factors/totp/confirm', { id: secret, code: '000000' })
  const confirmed = await post('/factors/totp/confirm', {
    id,
    code: totpCode(secret, clock()),
    name: 'phone',
  })
  const codes: string[] = confirmed.json().data.recovery_codes
  for (const code of codes) secrets.add('a recovery code', code)
  const login = await post(`/login_${mode}`, who, {})
  const pending = secrets.add('a pending sign-in', login.json().data.pending)
  const cookie = login.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const finish = (code: unknown, factor = 'recovery_code') =>
    post('/login_factor', { pending, factor, code }, cookie === '' ? {} : { cookie })
  for (const code of [typed, [codes[0]], secret]) await finish(code)
  await finish(secret, 'totp')
  for (const _ of 'twice') await finish(codes[0])
  await send({ url: `/factors?code=${codes[1]}&secret=${secret}&pending=${pending}`, headers })
  await send({ method: 'DELETE', url: `/factors/${codes[1]}`, headers })
  await post('/step_up', { factor: 'recovery_code', code: typed })
  await post('/step_up', { factor: 'recovery_code', code: codes[1] })
  await post('/factors/recovery_codes', {})
}

async function everything(t: Test, watched: Watched): Promise<Held[]> {
  await useRefreshCookie(watched)
  for (const mode of MODES) {
    await failToEnter(watched, mode)
    const held = await enter(watched, mode)
    await useCredential(watched, held)
    await misplaceCredential(watched, held)
    await useKeys(watched, mode)
    await endSignIns(watched, mode)
    await changePassword(watched, mode)
    await changeAccounts(watched, mode)
    await useFactors(watched, mode)
    const expired = await enter(watched, mode)
    watched.clock.advance(8000)
    await useCredential(watched, expired)
    await leave(watched, await enter(watched, mode))
  }
  await refreshAndSteal(watched)
  const live: Held[] = []
  for (const mode of MODES) live.push(await enter(watched, mode))
  for (const held of live) if (held.mode === 'cookie') await breakHttp(t, watched, held)
  return live
}

/** Nothing that was issued or sent is in what was written; and it is the real log that was looked through. */
function noLeak(t: Test, { secrets, written, events }: Watched): void {
  const log = written.join('\n')
  t.same(secrets.findIn(log), [], 'the log')
  t.same(secrets.findIn(JSON.stringify(events)), [], 'the audit events')
  t.ok(secrets.size > 100, `looked for ${secrets.size} texts`)
  const types = new Set(events.map(({ type }) => type))
  for (const type of ['factor_added', 'factor_refused', 'stepped_up', 'second_factor_asked'] as const)
    t.ok(types.has(type), type)
  t.match(log, /"msg":"incoming request"/)
  t.match(log, /"msg":"a request was refused by the parser"/)
  t.match(log, /"url":"\/nowhere\?…"/)
}

test('a leak would be found, in any of its spellings', async (t) => {
  const secrets = new Secrets()
  const value = secrets.add('a cookie', `v1.abcdefgh.${'payload'.repeat(3)}.${'mac'.repeat(6)}`)
  const bytes = JSON.stringify({ err: { rawPacket: Buffer.from(`Cookie: identity=${value}`) } })
  for (const text of [...spellings(value), bytes]) t.same(secrets.findIn(text)[0], 'a cookie')
  t.same(secrets.findIn(`..${'mac'.repeat(6)}`), ['a part of a cookie'])
  t.same(secrets.findIn('v1.abcdefgh'), [])
})

test('no credential is in the log, in an audit event or in the answer to a failure', async (t) => {
  const watched = await watchedUserCenter(t)
  await everything(t, watched)
  noLeak(t, watched)
})

test('nor when Redis is away', async (t) => {
  const redis = await startRedis({ tcp: true, args: ['--requirepass', REDIS_PASSWORD] })
  t.teardown(() => redis.stop())
  const REDIS_URL = `redis://:${REDIS_PASSWORD}@127.0.0.1:${redis.port}`
  const watched = await watchedUserCenter(t, { REDIS_URL })
  watched.secrets.add('the password of Redis', REDIS_PASSWORD)
  const live = await everything(t, watched)
  await redis.kill()
  for (const held of live) {
    t.equal((await watched.send({ url: '/sign_ins', headers: held.credential })).statusCode, 503)
    await misplaceCredential(watched, held)
    await leave(watched, held)
    await failToEnter(watched, held.mode)
    const payload = held.mode === 'token' ? { refresh_token: held.refreshToken } : watched.user
    const url = held.mode === 'token' ? '/refresh_token' : `/login_${held.mode}`
    t.equal((await watched.send({ method: 'POST', url, payload })).statusCode, 503)
  }
  noLeak(t, watched)
  t.match(watched.written.join('\n'), /"msg":"request failed"/)
})
