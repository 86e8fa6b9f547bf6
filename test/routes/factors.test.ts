import { cpSync } from 'node:fs'
import t from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { onDatabases, openTables } from '../helpers/databases.js'
import { beginLogin, codeAt, enrolTotp, signInByFactor, startFactorCenter } from '../helpers/factor-center.js'
import {
  ADMIN,
  type Credential,
  MODES,
  post,
  refusedByCenter,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { startMailCenter } from '../helpers/mail-center.js'
import { makeDataDir, startUserCenter } from '../helpers/user-center.js'

const test = onDatabases(t)

type App = Awaited<ReturnType<typeof startMailCenter>>['app']

const listOf = async (app: App, headers: Credential) =>
  (await app.inject({ url: '/factors', headers })).json().data
const remove = (app: App, id: string, headers: Credential) =>
  app.inject({ method: 'DELETE', url: `/factors/${id}`, headers })
const rename = (app: App, id: string, payload: object, headers: Credential) =>
  app.inject({ method: 'PATCH', url: `/factors/${id}`, headers, payload })

test('POST /factors/totp and /factors/totp/confirm: a factor counts once a code confirms it', async (t, env) => {
  const { app, clock } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'session')
  const begun = await post(app, '/factors/totp', {}, credential)
  t.equal(begun.headers['cache-control'], 'no-store')
  const { id, secret, uri, qr } = begun.json().data
  t.match(secret, /^[A-Z2-7]{32}$/, '160 bits')
  t.match(uri, /^otpauth:\/\/totp\/.*secret=/)
  t.match(Buffer.from(qr.replace('data:image/svg+xml;base64,', ''), 'base64').toString(), /^<svg /)
  t.same(await listOf(app, credential), [])
  t.equal((await post(app, '/login_token', USER)).statusCode, 200, 'not confirmed yet')
  const confirm = (code: unknown, headers = credential, name: unknown = 'Phone') =>
    post(app, '/factors/totp/confirm', { id, code, name }, headers)
  const code = codeAt(secret, clock())
  refusedByCenter(t, await confirm(code === '000000' ? '000001' : '000000'), 401, 'FACTOR_REFUSED', 'wrong')
  for (const odd of [`${code}0`, ` ${code}`, `${code.slice(0, 3)} ${code.slice(3)}`])
    refusedByCenter(t, await confirm(odd), 401, 'FACTOR_REFUSED', odd)
  const other = (await signIn(app, 'session', ADMIN)).credential
  refusedByCenter(t, await confirm(code, other), 401, 'FACTOR_REFUSED', 'another account’s')
  refusedByCenter(t, await confirm(code, credential, ' \u202e'), 400, 'BODY_INVALID')
  refusedByCenter(t, await confirm(Number(code)), 400, 'BODY_INVALID')
  const { data } = (await confirm(code)).json()
  t.equal(new Set(data.recovery_codes).size, 10)
  t.match(await listOf(app, credential), [
    { kind: 'totp', name: 'Phone', created_at: new Date(clock()).toISOString() },
    { kind: 'recovery_code', left: 10, last_used_at: null },
  ])
  t.notMatch(JSON.stringify(await listOf(app, credential)), secret)
  t.equal((await beginLogin(app, 'token')).factors.length, 2)
  t.equal((await userInfo(app, credential)).statusCode, 200, 'no sign-in ends')
})

test('GET, PATCH and DELETE /factors: one’s own, and with the mail of each change', async (t, env) => {
  const { app, totp, byTotp, mailServer, address } = await startFactorCenter(t, env)
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  const { credential } = await byTotp('cookie')
  const [factor] = await listOf(app, credential)
  t.same(Object.keys(factor).sort(), ['created_at', 'id', 'kind', 'last_used_at', 'name'])
  const renamed = await rename(app, factor.id, { name: '旧手机' }, credential)
  t.match(renamed.json(), { code: 200, data: { id: factor.id, name: '旧手机' } })
  await app.accountMail.flush()
  t.match(mailServer.mails.at(-1), { to: [address], text: /factor of your account was renamed/ })
  for (const name of ['', ' ', '\n', 'a'.repeat(101), '👩‍👩‍👧'.repeat(50), 7, 'a\u202eb', 'a\u2028b'])
    refusedByCenter(t, await rename(app, factor.id, { name }, credential), 400, 'BODY_INVALID')
  const admin = (await signIn(app, 'cookie', ADMIN)).credential
  refusedByCenter(t, await rename(app, factor.id, { name: 'mine' }, admin), 404, 'NOT_FOUND')
  refusedByCenter(t, await remove(app, factor.id, admin), 404, 'NOT_FOUND')
  refusedByCenter(t, await remove(app, 'nothing', credential), 404, 'NOT_FOUND')
  t.equal((await remove(app, factor.id, credential)).statusCode, 200)
  t.same(await listOf(app, credential), [], 'the recovery codes went with it')
  refusedByCenter(t, await remove(app, factor.id, credential), 404, 'NOT_FOUND', 'again')
  t.equal((await post(app, '/login_token', USER)).statusCode, 200, 'the password is enough')
  await app.accountMail.flush()
  const notice = mailServer.mails.at(-1)
  t.same(notice?.to, [address])
  t.match(notice?.text, 'factor was removed')
  t.ok(events.some(({ type }) => type === 'factor_renamed'))
  t.ok(events.some(({ type }) => type === 'factor_removed'))
  const said = JSON.stringify([events, mailServer.mails.map(({ text }) => text)])
  t.notMatch(said, totp.secret)
})

test('POST /factors/recovery_codes: new ones, and the old ones are void', async (t, env) => {
  const { app, totp, byTotp, mailServer } = await startFactorCenter(t, env)
  const { credential } = await byTotp('session')
  const made = await post(app, '/factors/recovery_codes', {}, credential)
  const { recovery_codes } = made.json().data
  t.equal(new Set([...recovery_codes, ...totp.recoveryCodes]).size, 20)
  const { pending } = await beginLogin(app, 'token')
  const old = { pending, factor: 'recovery_code', code: totp.recoveryCodes[0] }
  refusedByCenter(t, await post(app, '/login_factor', old), 401, 'FACTOR_REFUSED')
  await signInByFactor(app, 'token', { factor: 'recovery_code', code: recovery_codes[0] })
  await app.accountMail.flush()
  t.match(mailServer.mails.at(-1)?.text, 'factor was added')
  const admin = (await signIn(app, 'cookie', ADMIN)).credential
  refusedByCenter(
    t,
    await post(app, '/factors/recovery_codes', {}, admin),
    404,
    'NOT_FOUND',
    'alone they are no factor',
  )
})

test('recently: with the factor where there is one, and within ten minutes', async (t, env) => {
  const { app, totp, clock, before } = await startFactorCenter(t, env)
  const [{ id }] = await listOf(app, before)
  const changes = (headers: Credential) => [
    post(app, '/factors/totp', {}, headers),
    post(app, '/factors/recovery_codes', {}, headers),
    post(app, '/passkeys/options', {}, headers),
    rename(app, id, { name: 'x' }, headers),
    remove(app, id, headers),
    post(app, '/api_keys', { name: 'x' }, headers),
    post(app, '/email', { email: 'thief@mail.example' }, headers),
  ]
  for (const answer of await Promise.all(changes(before)))
    refusedByCenter(t, answer, 403, 'FACTOR_REQUIRED', 'the sign-in from before the factor')
  for (const mode of MODES) {
    const { credential } = await signInByFactor(app, mode, { factor: 'totp', code: totp.next() })
    clock.advance(601)
    for (const answer of await Promise.all(changes(credential))) {
      refusedByCenter(t, answer, 403, 'SIGN_IN_TOO_OLD', mode)
      t.match(
        answer.headers['www-authenticate'],
        /insufficient_user_authentication".*max_age="600".*acr_values=/,
      )
    }
  }
  const { credential } = await signInByFactor(app, 'cookie', { factor: 'totp', code: totp.next() })
  t.equal((await rename(app, id, { name: 'x' }, credential)).statusCode, 200)
})

test('DELETE /accounts/:username/factors: an administrator takes all, and ends the sign-ins', async (t, env) => {
  const { app, byTotp, mailServer, totp, address } = await startFactorCenter(t, env)
  const own = []
  for (const mode of MODES) own.push(await byTotp(mode))
  const pending = await beginLogin(app, 'token')
  const admin = (await signIn(app, 'cookie', ADMIN)).credential
  const reset = (name: string, headers: Credential) =>
    app.inject({ method: 'DELETE', url: `/accounts/${name}/factors`, headers })
  refusedByCenter(t, await reset('admin', own[0]?.credential ?? {}), 403, 'ROLE_REQUIRED')
  refusedByCenter(t, await reset('user1', {}), 403, 'NOT_SIGNED_IN')
  refusedByCenter(t, await reset('user1', { ...admin, 'sec-fetch-site': 'cross-site' }), 403, 'CROSS_SITE')
  refusedByCenter(t, await reset('nobody', admin), 404, 'NOT_FOUND')
  const answer = await reset('USER1', admin)
  t.match(answer.json(), { code: 200, data: { removed: 2, ended: 5 } })
  for (const { credential } of own) refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
  const late = { pending: pending.pending, factor: 'totp', code: totp.next() }
  refusedByCenter(
    t,
    await post(app, '/login_factor', late),
    401,
    'FACTOR_REFUSED',
    'a pending sign-in ends too',
  )
  t.equal((await post(app, '/login_token', USER)).statusCode, 200)
  await app.accountMail.flush()
  t.same(mailServer.mails.at(-1)?.to, [address])
  t.match(mailServer.mails.at(-1)?.text, 'administrator removed')
  t.equal((await userInfo(app, admin)).statusCode, 200)
})

test('an administrator’s own factors are removed only recently, with the factor', async (t, env) => {
  const center = await startMailCenter(t, env)
  const { app, clock } = center
  const { credential } = await signIn(app, 'cookie', ADMIN)
  const totp = await enrolTotp(center, credential)
  const reset = (headers: Credential) =>
    app.inject({ method: 'DELETE', url: '/accounts/ADMIN/factors', headers })
  refusedByCenter(t, await reset(credential), 403, 'FACTOR_REQUIRED')
  const strong = await signInByFactor(app, 'cookie', { factor: 'totp', code: totp.next() }, ADMIN)
  clock.advance(601)
  refusedByCenter(t, await reset(strong.credential), 403, 'SIGN_IN_TOO_OLD')
  const fresh = await signInByFactor(app, 'cookie', { factor: 'totp', code: totp.next() }, ADMIN)
  t.equal((await reset(fresh.credential)).statusCode, 200)
  refusedByCenter(t, await userInfo(app, fresh.credential), 403, 'SIGNED_OUT', 'as any account’s')
})

test('a start without the secret that seals a factor is refused, and names its key', async (t, env) => {
  const secrets = ['kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6', 'hVq8Lm2_ZxC5nRt7YsD3kPw9QbG4fJe1'] as const
  const [old, next] = secrets
  const center = await startMailCenter(t, { ...env, AUTH_SECRETS: old })
  const { app, dataDir, clock } = center
  const { credential } = await signIn(app, 'cookie')
  const totp = await enrolTotp(center, credential)
  const tables = await openTables(t, env, dataDir)
  const sealed = await tables.selectFrom('factors').select('key_id').where('kind', '=', 'totp').execute()
  await app.close()
  const start = (AUTH_SECRETS: string, DATA_DIR = dataDir) =>
    startUserCenter(t, { ...env, DATA_DIR, AUTH_SECRETS }, clock)
  // A start that is refused ends its process, and this one lives on: it gets a copy.
  const copy = makeDataDir(t)
  cpSync(dataDir, copy, { recursive: true })
  await t.rejects(start(next, copy), {
    code: 'CONFIG_INVALID',
    message: new RegExp(`AUTH_SECRETS lacks .*: ${sealed[0]?.key_id} \\(seals 1\\).*keys reseal`),
  })
  const both = await start(`${next},${old}`)
  const { pending } = await beginLogin(both.app, 'token')
  const body = { pending, factor: 'totp', code: totp.next() }
  t.equal((await post(both.app, '/login_factor', body)).statusCode, 200)
  await both.app.close()
  const renewed = await start(next)
  t.equal((await beginLogin(renewed.app, 'token')).factors.length, 2, 'its use has sealed it again')
})

test('no pending value, ended sign-in or other site changes a factor', async (t, env) => {
  const { app, byTotp, dataDir } = await startFactorCenter(t, env)
  const { credential } = await byTotp('cookie')
  const [{ id }] = await listOf(app, credential)
  const { pending, headers } = await beginLogin(app, 'cookie')
  for (const sent of [headers, { authorization: `Bearer ${pending}` }])
    t.equal((await remove(app, id, sent)).statusCode, 403)
  refusedByCenter(
    t,
    await remove(app, id, { ...credential, 'sec-fetch-site': 'cross-site' }),
    403,
    'CROSS_SITE',
  )
  // The database has the new epoch, and the state store has not been told yet.
  const tables = await openTables(t, env, dataDir)
  await tables.updateTable('accounts').set({ epoch: 70 }).where('canonical', '=', 'user1').execute()
  const late = [
    remove(app, id, credential),
    rename(app, id, { name: 'x' }, credential),
    post(app, '/factors/totp', {}, credential),
    post(app, '/factors/totp/confirm', { id: 'x', code: '123456' }, credential),
    post(app, '/factors/recovery_codes', {}, credential),
    post(app, '/passkeys/options', {}, credential),
    post(app, '/passkeys', { response: {}, name: 'x' }, credential),
    post(app, '/step_up', { password: USER.password }, credential),
  ]
  for (const answer of await Promise.all(late)) refusedByCenter(t, answer, 403, 'SIGNED_OUT')
  t.equal((await listOf(app, credential)).length, 2)
})
