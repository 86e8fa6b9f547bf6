import t from 'tap'
import { type Lies, SoftAuthenticator } from '../helpers/authenticator.js'
import { type DatabaseEnv, onDatabases } from '../helpers/databases.js'
import { beginLogin } from '../helpers/factor-center.js'
import {
  ADMIN,
  type Credential,
  credentialCookies,
  MODES,
  type Mode,
  post,
  refusedByCenter,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { confirmAddress, SITE, startMailCenter, tokenIn } from '../helpers/mail-center.js'
import { startUserCenter } from '../helpers/user-center.js'

const test = onDatabases(t)

type Answer = Awaited<ReturnType<typeof post>>

const PENDING = /^(__Host-)?pending$/
const headersOf = ({ cookies }: Answer): Credential => {
  const half = cookies.find(({ name }) => PENDING.test(name))
  return half ? { cookie: `${half.name}=${half.value}` } : {}
}

/** The credential of an answer to a login. */
function credentialOf(mode: Mode, answer: Answer): Credential {
  if (mode === 'token') return { authorization: `Bearer ${answer.json().data.token}` }
  const [cookie] = credentialCookies(answer).filter(({ name }) => !PENDING.test(name))
  return { cookie: `${cookie?.name}=${cookie?.value}` }
}

/** user1 has a confirmed address and a passkey. */
async function start(t: Parameters<typeof startMailCenter>[0], env: DatabaseEnv) {
  const center = await startMailCenter(t, env)
  const { app, mailServer } = center
  await confirmAddress(center)
  const { credential } = await signIn(app, 'cookie')
  const key = new SoftAuthenticator(SITE)
  const add = async (name = 'Laptop', headers = credential, lies: Lies = {}) => {
    const options = (await post(app, '/passkeys/options', {}, headers)).json().data
    return post(app, '/passkeys', { response: key.create(options, lies), name }, headers)
  }
  /** Signs in by the passkey alone. */
  const byPasskey = async (mode: Mode, more: object = {}, lies: Lies = {}) => {
    const begun = await post(app, '/login_passkey/options', {})
    const { options, pending } = begun.json().data
    const body = { pending, response: key.get(options, lies), mode, ...more }
    return post(app, '/login_passkey', body, headersOf(begun))
  }
  const list = async (headers: Credential) => (await app.inject({ url: '/factors', headers })).json().data
  await app.accountMail.flush()
  return { ...center, mailServer, credential, key, add, byPasskey, list }
}

test('POST /passkeys/options and /passkeys: 201, and the owner gets a mail', async (t, env) => {
  const { app, add, list, credential, mailServer, key } = await start(t, env)
  const answer = await add()
  t.equal(answer.statusCode, 201)
  const { data } = answer.json()
  t.match(data, { kind: 'passkey', name: 'Laptop', last_used_at: null })
  t.equal(data.recovery_codes.length, 10)
  await app.accountMail.flush()
  t.match(mailServer.mails.at(-1)?.text, 'factor was added')
  t.match(await list(credential), [
    { id: data.id, kind: 'passkey' },
    { kind: 'recovery_code', left: 10 },
  ])
  t.notMatch(JSON.stringify(await list(credential)), key.keys[0]?.id)
  const again = await post(app, '/passkeys/options', {}, credential)
  refusedByCenter(t, again, 403, 'FACTOR_REQUIRED', 'from now on it is asked for')
})

test('what is no answer of a passkey for this account, page and moment is refused', async (t, env) => {
  const { app, add, credential, key, list } = await start(t, env)
  for (const lies of [
    { origin: 'https://evil.example' },
    { isVerified: false },
    { type: 'webauthn.get' },
    { rpId: 'evil.example' },
  ])
    refusedByCenter(t, await add('x', credential, lies), 401, 'FACTOR_REFUSED', JSON.stringify(lies))
  const options = (await post(app, '/passkeys/options', {}, credential)).json().data
  const other = (await signIn(app, 'cookie')).credential
  const admin = (await signIn(app, 'cookie', ADMIN)).credential
  for (const headers of [other, admin])
    refusedByCenter(
      t,
      await post(app, '/passkeys', { response: key.create(options), name: 'x' }, headers),
      401,
      'FACTOR_REFUSED',
    )
  for (const body of [{}, { response: {} }, { response: 'x', name: 'x' }, { response: {}, name: '' }])
    refusedByCenter(t, await post(app, '/passkeys', body, credential), 400, 'BODY_INVALID')
  refusedByCenter(
    t,
    await post(app, '/passkeys', { response: {}, name: 'x' }, credential),
    401,
    'FACTOR_REFUSED',
  )
  t.same(await list(credential), [])
})

test('POST /login_passkey/options and /login_passkey sign in by each mode without a password, as two factors', async (t, env) => {
  const { app, add, byPasskey, clock } = await start(t, env)
  await add()
  for (const mode of MODES) {
    const answer = await byPasskey(mode)
    t.match(answer.json(), { code: 200, auth_type: mode })
    const headers = credentialOf(mode, answer)
    t.match((await userInfo(app, headers)).json(), { auth_type: mode, data: { username: 'user1' } })
    t.equal((await post(app, '/passkeys/options', {}, headers)).statusCode, 200, 'recent, and two factors')
    const listed = (await app.inject({ url: '/sign_ins', headers })).json().data
    t.same(listed.find((each: { current: boolean }) => each.current).factors, ['passkey'])
    clock.advance(1)
  }
  const long = await byPasskey('session', { remember: true })
  t.equal(long.cookies.find(({ name }) => name === 'session')?.maxAge, 604_800)
})

test('POST /login_passkey tells of three or fewer recovery codes', async (t, env) => {
  const { app, add, byPasskey } = await start(t, env)
  const codes: string[] = (await add()).json().data.recovery_codes
  t.equal((await byPasskey('token')).json().data.recovery_codes_left, undefined, 'there are ten')
  for (const code of codes.slice(0, 7)) {
    const { pending } = await beginLogin(app, 'token')
    const body = { pending, factor: 'recovery_code', code }
    t.equal((await post(app, '/login_factor', body)).statusCode, 200)
  }
  t.equal((await byPasskey('token')).json().data.recovery_codes_left, 3)
  t.same((await byPasskey('session')).json().data, { recovery_codes_left: 3 })
})

test('POST /login_passkey refuses what is not whole, from elsewhere, or used', async (t, env) => {
  const { app, add, byPasskey, key } = await start(t, env)
  await add()
  const lies = [
    { origin: 'https://evil.example' },
    { isVerified: false },
    { userHandle: null },
    { challenge: 'x' },
  ]
  for (const lie of lies)
    refusedByCenter(t, await byPasskey('cookie', {}, lie), 401, 'FACTOR_REFUSED', JSON.stringify(lie))
  const begun = await post(app, '/login_passkey/options', {})
  const { options, pending } = begun.json().data
  const body = { pending, response: key.get(options), mode: 'cookie' }
  refusedByCenter(t, await post(app, '/login_passkey', body), 401, 'FACTOR_REFUSED', 'another browser')
  t.equal((await post(app, '/login_passkey', body, headersOf(begun))).statusCode, 200)
  refusedByCenter(t, await post(app, '/login_passkey', body, headersOf(begun)), 401, 'FACTOR_REFUSED', 'used')
  for (const bad of [{ mode: 'api_key' }, { remember: 'yes' }, { pending: '' }, { response: null }])
    refusedByCenter(t, await post(app, '/login_passkey', { ...body, ...bad }), 400, 'BODY_INVALID')
  const crossSite = { 'sec-fetch-site': 'cross-site' }
  refusedByCenter(t, await post(app, '/login_passkey', body, crossSite), 403, 'CROSS_SITE')
  refusedByCenter(t, await post(app, '/login_passkey/options', {}, crossSite), 403, 'CROSS_SITE')
})

test('POST /passkeys/challenge is for one purpose: a login, a reset or a step-up', async (t, env) => {
  const { app, add, key, credential, mailServer, clock } = await start(t, env)
  await add()
  const { pending, headers } = await beginLogin(app, 'cookie')
  clock.advance(1)
  await app.accountMail.flush()
  const { length } = mailServer.mails
  await post(app, '/password/forgot', { username: 'user1' })
  await app.accountMail.flush()
  const token = tokenIn(mailServer.mails[length]?.text ?? '')
  const purposes = {
    login: { ask: [{ pending }, headers], use: ['/login_factor', { pending }, headers] },
    reset: {
      ask: [{ token }, {}],
      use: ['/password/reset', { token, new_password: 'three quiet ravens' }, {}],
    },
    step_up: { ask: [{}, credential], use: ['/step_up', {}, credential] },
  } as const
  const challenge = async ([body, sent]: readonly [object, Credential]) => {
    const answer = await post(app, '/passkeys/challenge', body, sent)
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return key.get(answer.json().data)
  }
  const use = ([url, body, sent]: readonly [string, object, Credential], response: object) =>
    post(app, url, { ...body, factor: 'passkey', response }, sent)
  const names = ['login', 'reset', 'step_up'] as const
  for (const asked of names)
    for (const used of names)
      if (asked !== used)
        refusedByCenter(
          t,
          await use(purposes[used].use, await challenge(purposes[asked].ask)),
          401,
          'FACTOR_REFUSED',
          `${asked} for ${used}`,
        )
  const crossSite = { 'sec-fetch-site': 'cross-site' }
  for (const body of [{ pending }, { token }, {}])
    refusedByCenter(
      t,
      await post(app, '/passkeys/challenge', body, { ...credential, ...crossSite }),
      403,
      'CROSS_SITE',
    )
  clock.advance(100)
  for (const name of ['step_up', 'login', 'reset'] as const) {
    const answer = await use(purposes[name].use, await challenge(purposes[name].ask))
    t.equal(answer.statusCode, 200, `${name}: ${answer.body}`)
  }
  refusedByCenter(t, await post(app, '/passkeys/challenge', {}), 403, 'NOT_SIGNED_IN')
  refusedByCenter(t, await post(app, '/passkeys/challenge', { token: 'A'.repeat(22) }), 401, 'RESET_REFUSED')
  refusedByCenter(t, await post(app, '/passkeys/challenge', { pending: 'none' }), 401, 'FACTOR_REFUSED')
  refusedByCenter(t, await post(app, '/passkeys/challenge', { pending, token }), 400, 'BODY_INVALID')
})

test('a copied passkey is refused, and its owner gets a mail', async (t, env) => {
  const { app, add, byPasskey, mailServer } = await start(t, env)
  await add()
  t.equal((await byPasskey('cookie')).statusCode, 200)
  refusedByCenter(t, await byPasskey('cookie', {}, { counter: 1 }), 401, 'FACTOR_REFUSED')
  await app.accountMail.flush()
  t.match(mailServer.mails.at(-1)?.text, /somebody may have copied it[\s\S]*127\.0\.0\.1[\s\S]*已被复制/)
  t.equal((await beginLogin(app, 'token', USER)).factors.length, 2)
})

t.test('without a public address there are no passkeys', async (t) => {
  const env = {
    NODE_ENV: 'production',
    SINGLE_INSTANCE: 'true',
    AUTH_SECRETS: '5f1e8a40c9d2b7736e0f4a9b8c1d2e3f5a6b7c8d',
  }
  const { app } = await startUserCenter(t, env)
  t.equal((await app.inject('/settings')).json().data.passkey_origin, null)
  for (const url of [
    '/passkeys',
    '/passkeys/options',
    '/passkeys/challenge',
    '/login_passkey',
    '/login_passkey/options',
  ])
    refusedByCenter(t, await post(app, url, {}), 404, 'NOT_FOUND')
})

t.test('GET /settings says where passkeys work', async (t) => {
  const { app } = await startUserCenter(t)
  t.equal((await app.inject('/settings')).json().data.passkey_origin, 'http://localhost:3000')
})
