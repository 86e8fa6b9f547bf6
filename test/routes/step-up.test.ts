import t from 'tap'
import { onDatabases } from '../helpers/databases.js'
import { beginLogin, enrolTotp } from '../helpers/factor-center.js'
import {
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
import { startMailCenter } from '../helpers/mail-center.js'

const test = onDatabases(t)

type App = Awaited<ReturnType<typeof startMailCenter>>['app']
type Answer = Awaited<ReturnType<typeof post>>

/** The credential of an answer to a step-up. */
function credentialOf(mode: Mode, answer: Answer): Credential {
  if (mode === 'token') return { authorization: `Bearer ${answer.json().data.token}` }
  const [cookie] = credentialCookies(answer)
  return { cookie: `${cookie?.name}=${cookie?.value}` }
}

/** Something that needs a recent sign-in, and changes nothing of the caller's. */
const ask = (app: App, headers: Credential) => post(app, '/passkeys/options', {}, headers)

const refreshOf = (mode: Mode, refresh_token: string) => (mode === 'token' ? { refresh_token } : {})

async function ownEntry(app: App, headers: Credential) {
  const list = (await app.inject({ url: '/sign_ins', headers })).json().data
  return list.find(({ current }: { current: boolean }) => current)
}

test('POST /step_up with the password makes the sign-in recent again, in each mode', async (t, env) => {
  const { app, clock } = await startMailCenter(t, env)
  for (const mode of MODES) {
    const { credential, refreshToken } = await signIn(app, mode)
    const before = await ownEntry(app, credential)
    clock.advance(601)
    refusedByCenter(t, await ask(app, credential), 403, 'SIGN_IN_TOO_OLD', mode)
    const more = refreshOf(mode, refreshToken)
    refusedByCenter(
      t,
      await post(app, '/step_up', { password: 'wrong', ...more }, credential),
      401,
      'CREDENTIALS_REFUSED',
    )
    refusedByCenter(t, await ask(app, credential), 403, 'SIGN_IN_TOO_OLD', `${mode}: nothing changed`)
    const answer = await post(app, '/step_up', { password: USER.password, ...more }, credential)
    t.match(answer.json(), { code: 200, auth_type: mode })
    t.equal(answer.headers['cache-control'], 'no-store')
    const strong = credentialOf(mode, answer)
    t.equal((await ask(app, strong)).statusCode, 200, mode)
    const after = await ownEntry(app, strong)
    t.same([after.id, after.created_at], [before.id, before.created_at], 'it is the same sign-in')
  }
})

test('POST /step_up with a factor makes the sign-in stronger, in each mode', async (t, env) => {
  const center = await startMailCenter(t, env)
  const { app } = center
  // From before the factor.
  const weak = []
  for (const mode of MODES) weak.push({ mode, ...(await signIn(app, mode)) })
  const totp = await enrolTotp(center, weak[0]?.credential ?? {})
  for (const { mode, credential, refreshToken } of weak) {
    refusedByCenter(t, await ask(app, credential), 403, 'FACTOR_REQUIRED', mode)
    const more = refreshOf(mode, refreshToken)
    const wrong = { factor: 'totp', code: '000000', ...more }
    refusedByCenter(t, await post(app, '/step_up', wrong, credential), 401, 'FACTOR_REFUSED')
    const code = totp.next()
    const answer = await post(app, '/step_up', { factor: 'totp', code, ...more }, credential)
    t.match(answer.json(), { code: 200, auth_type: mode })
    const strong = credentialOf(mode, answer)
    t.equal((await ask(app, strong)).statusCode, 200, mode)
    t.same((await ownEntry(app, strong)).factors, ['password', 'totp'])
    if (mode !== 'token')
      refusedByCenter(
        t,
        await ask(app, credential),
        403,
        'FACTOR_REQUIRED',
        `${mode}: the old one stays weak`,
      )
    const { pending } = await beginLogin(app, 'token')
    const again = { pending, factor: 'totp', code }
    refusedByCenter(t, await post(app, '/login_factor', again), 401, 'FACTOR_REFUSED', 'the code is spent')
  }
})

test('an old session id works for ten seconds, with its old strength', async (t, env) => {
  const { app, clock } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'session')
  clock.advance(601)
  const answer = await post(app, '/step_up', { password: USER.password }, credential)
  t.not(credentialOf('session', answer).cookie, credential.cookie, 'a new id')
  t.equal((await userInfo(app, credential)).statusCode, 200)
  refusedByCenter(t, await ask(app, credential), 403, 'SIGN_IN_TOO_OLD')
  clock.advance(10)
  refusedByCenter(t, await userInfo(app, credential), 403, 'CREDENTIAL_INVALID')
  t.equal((await userInfo(app, credentialOf('session', answer))).statusCode, 200)
})

test('token mode rotates the refresh token of this sign-in, from the body or its cookie', async (t, env) => {
  const { app, clock } = await startMailCenter(t, env)
  const one = await signIn(app, 'token')
  const other = await signIn(app, 'token')
  clock.advance(601)
  const { password } = USER
  refusedByCenter(t, await post(app, '/step_up', { password }, one.credential), 400, 'BODY_INVALID', 'none')
  const foreign = { password, refresh_token: other.refreshToken }
  refusedByCenter(t, await post(app, '/step_up', foreign, one.credential), 401, 'REFRESH_REFUSED')
  refusedByCenter(t, await ask(app, one.credential), 403, 'SIGN_IN_TOO_OLD')
  const own = { password, refresh_token: one.refreshToken }
  const pair = (await post(app, '/step_up', own, one.credential)).json().data
  t.same(Object.keys(pair).sort(), [
    'expires_in',
    'refresh_expires_in',
    'refresh_token',
    'token',
    'token_type',
  ])
  t.equal((await post(app, '/refresh_token', { refresh_token: pair.refresh_token })).statusCode, 200)
  const login = await post(app, '/login_token', { ...USER, refresh_cookie: true })
  const refresh = login.cookies.find(({ name }) => name === 'refresh')
  const headers = {
    authorization: `Bearer ${login.json().data.token}`,
    cookie: `refresh=${refresh?.value}`,
  }
  clock.advance(601)
  refusedByCenter(t, await post(app, '/step_up', own, headers), 400, 'BODY_INVALID', 'body and cookie')
  const answer = await post(app, '/step_up', { password }, headers)
  t.same([answer.statusCode, answer.json().data.refresh_token], [200, undefined])
  t.ok(answer.cookies.some(({ name, value }) => name === 'refresh' && value !== refresh?.value))
})

test('what is no step-up is refused, and changes nothing', async (t, env) => {
  const { app } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'cookie')
  const bad = [
    {},
    { password: '' },
    { password: USER.password, factor: 'totp', code: '123456' },
    { factor: 'totp' },
    { factor: 'sms', code: '123456' },
    { factor: 'totp', code: '123456', response: {} },
    { factor: 'passkey', code: '123456' },
    { password: USER.password, refresh_token: 'x' },
  ]
  for (const body of bad)
    refusedByCenter(t, await post(app, '/step_up', body, credential), 400, 'BODY_INVALID')
  refusedByCenter(t, await post(app, '/step_up', { password: USER.password }), 403, 'NOT_SIGNED_IN')
  const crossSite = { ...credential, 'sec-fetch-site': 'cross-site' }
  refusedByCenter(t, await post(app, '/step_up', { password: USER.password }, crossSite), 403, 'CROSS_SITE')
  refusedByCenter(
    t,
    await post(app, '/step_up', { factor: 'totp', code: '123456' }, credential),
    401,
    'FACTOR_REFUSED',
  )
})
