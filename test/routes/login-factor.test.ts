import t from 'tap'
import { onDatabases } from '../helpers/databases.js'
import { beginLogin, codeAt, enrolTotp, signInByFactor, startFactorCenter } from '../helpers/factor-center.js'
import { ADMIN, MODES, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'

const test = onDatabases(t)

test('any login: 401 SECOND_FACTOR_REQUIRED after the right password of an account with a factor', async (t, env) => {
  const { app } = await startFactorCenter(t, env)
  for (const mode of MODES) {
    const answer = await post(app, `/login_${mode}`, USER)
    const { data, ...rest } = answer.json()
    t.match([answer.statusCode, rest], [401, { code: 401, error: 'SECOND_FACTOR_REQUIRED' }], mode)
    t.same(
      [Object.keys(data).sort(), data.factors.sort(), data.expires_in],
      [['expires_in', 'factors', 'pending'], ['recovery_code', 'totp'], 300],
    )
    t.equal(answer.headers['cache-control'], 'no-store')
    const cookies = answer.cookies.map(({ name, httpOnly, sameSite, maxAge }) => [
      name,
      httpOnly,
      sameSite,
      maxAge,
    ])
    t.same(cookies, mode === 'token' ? [] : [['pending', true, 'Strict', 300]])
    refusedByCenter(
      t,
      await post(app, `/login_${mode}`, { ...USER, password: 'wrong' }),
      401,
      'CREDENTIALS_REFUSED',
    )
    t.equal((await post(app, `/login_${mode}`, ADMIN)).statusCode, 200, 'others are asked for nothing')
  }
})

test('POST /login_factor answers what the login would have answered, in each mode', async (t, env) => {
  const { app, totp, byTotp, clock } = await startFactorCenter(t, env)
  for (const mode of MODES) {
    const { response, credential, refreshToken } = await byTotp(mode)
    t.match(response.json(), { code: 200, auth_type: mode, msg: 'You are signed in.' })
    t.match((await userInfo(app, credential)).json(), { auth_type: mode, data: { username: 'user1' } })
    const entries = (await app.inject({ url: '/sign_ins', headers: credential })).json().data
    const own = entries.find((each: { current: boolean }) => each.current)
    t.same(own.factors, ['password', 'totp'], 'GET /sign_ins says how')
    if (mode === 'token') {
      const pair = (await post(app, '/refresh_token', { refresh_token: refreshToken })).json().data
      const headers = { authorization: `Bearer ${pair.token}` }
      const list = (await app.inject({ url: '/sign_ins', headers })).json().data
      t.same(list.find((each: { current: boolean }) => each.current).factors, ['password', 'totp'])
    }
  }
  const { pending, headers } = await beginLogin(app, 'token', { ...USER, refresh_cookie: true })
  const body = { pending, factor: 'totp', code: totp.next() }
  const answer = await post(app, '/login_factor', body, headers)
  t.same([answer.statusCode, answer.json().data.refresh_token], [200, undefined])
  t.ok(answer.cookies.some(({ name }) => name === 'refresh'))
  const remembered = await beginLogin(app, 'session', { ...USER, remember: true })
  const again = { pending: remembered.pending, factor: 'totp', code: totp.next() }
  const long = await post(app, '/login_factor', again, remembered.headers)
  t.equal(long.cookies.find(({ name }) => name === 'session')?.maxAge, 604_800)
  t.ok(clock())
})

test('a code works once, and neither does an older one, another account’s or one in another form', async (t, env) => {
  const center = await startFactorCenter(t, env)
  const { app, totp, clock } = center
  const tryCode = async (code: string, factor = 'totp') => {
    const { pending } = await beginLogin(app, 'token')
    return post(app, '/login_factor', { pending, factor, code })
  }
  const used = totp.next()
  t.equal((await tryCode(used)).statusCode, 200)
  refusedByCenter(t, await tryCode(used), 401, 'FACTOR_REFUSED', 'used before')
  const admin = (await signIn(app, 'cookie', ADMIN)).credential
  const others = await enrolTotp(center, admin)
  refusedByCenter(t, await tryCode(others.next()), 401, 'FACTOR_REFUSED', 'another account’s')
  const [recovery = ''] = others.recoveryCodes
  refusedByCenter(t, await tryCode(recovery, 'recovery_code'), 401, 'FACTOR_REFUSED', 'another account’s')
  clock.advance(3600)
  const latest = totp.next()
  t.equal((await tryCode(latest)).statusCode, 200)
  refusedByCenter(
    t,
    await tryCode(codeAt(totp.secret, clock() - 30_000)),
    401,
    'FACTOR_REFUSED',
    'of the step before',
  )
  clock.advance(3600)
  const right = totp.next()
  const fullWidth = [...right].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join('')
  for (const code of [`${right.slice(0, 3)} ${right.slice(3)}`, fullWidth, `${right}0`, `0${right}`]) {
    refusedByCenter(t, await tryCode(code), 401, 'FACTOR_REFUSED', code)
    clock.advance(3600)
  }
  t.equal((await tryCode(totp.next())).statusCode, 200)
})

test('a pending value works once, in its browser, for its mode, until the password changes', async (t, env) => {
  const { app, totp, clock } = await startFactorCenter(t, env)
  const one = await beginLogin(app, 'cookie')
  const other = await beginLogin(app, 'session')
  const body = () => ({ pending: one.pending, factor: 'totp', code: totp.next() })
  for (const headers of [{}, other.headers, { cookie: `${one.headers.cookie}x` }])
    refusedByCenter(t, await post(app, '/login_factor', body(), headers), 401, 'FACTOR_REFUSED')
  const answer = await post(app, '/login_factor', body(), one.headers)
  t.match(answer.json(), { code: 200, auth_type: 'cookie' })
  refusedByCenter(t, await post(app, '/login_factor', body(), one.headers), 401, 'FACTOR_REFUSED', 'used')
  const late = await beginLogin(app, 'token')
  clock.advance(300)
  refusedByCenter(
    t,
    await post(app, '/login_factor', { ...body(), pending: late.pending }),
    401,
    'FACTOR_REFUSED',
    'late',
  )
  const void_ = await beginLogin(app, 'token')
  const account = await app.accounts.findByUsername('user1')
  await app.accounts.setPassword(String(account?.id), 'three quiet ravens')
  refusedByCenter(
    t,
    await post(app, '/login_factor', { ...body(), pending: void_.pending }),
    401,
    'FACTOR_REFUSED',
    'epoch',
  )
  for (const pending of ['', 'x'.repeat(2000)])
    refusedByCenter(t, await post(app, '/login_factor', { ...body(), pending }), 400, 'BODY_INVALID')
  refusedByCenter(
    t,
    await post(app, '/login_factor', { ...body(), pending: 'nothing' }),
    401,
    'FACTOR_REFUSED',
  )
  const crossSite = { 'sec-fetch-site': 'cross-site' }
  refusedByCenter(t, await post(app, '/login_factor', body(), crossSite), 403, 'CROSS_SITE')
})

test('a pending value is no credential', async (t, env) => {
  const { app } = await startFactorCenter(t, env)
  for (const mode of MODES) {
    const { pending, headers } = await beginLogin(app, mode)
    const half = headers.cookie?.split('=')[1] ?? 'none'
    for (const value of [pending, half, `${pending}.${half}`, `${pending}${half}`])
      for (const sent of [
        ['authorization', `Bearer ${value}`],
        ['cookie', `identity=${value}; session=${value}`],
      ])
        t.equal((await userInfo(app, Object.fromEntries([sent]))).statusCode, 403)
    t.equal((await userInfo(app, headers)).json().error, 'NOT_SIGNED_IN')
  }
})

test('a recovery code works once, and three or fewer that are left are told', async (t, env) => {
  const { app, totp } = await startFactorCenter(t, env)
  t.equal(totp.recoveryCodes.length, 10)
  const left: unknown[] = []
  for (const code of totp.recoveryCodes.slice(0, 8)) {
    const { response } = await signInByFactor(app, 'cookie', { factor: 'recovery_code', code })
    left.push(response.json().data?.recovery_codes_left)
  }
  t.same(left, [...Array(6).fill(undefined), 3, 2])
  const { pending } = await beginLogin(app, 'token')
  const again = { pending, factor: 'recovery_code', code: totp.recoveryCodes[0] }
  refusedByCenter(t, await post(app, '/login_factor', again), 401, 'FACTOR_REFUSED', 'used before')
  const { response, credential } = await signInByFactor(app, 'token', { factor: 'totp', code: totp.next() })
  t.equal(response.json().data.recovery_codes_left, 2, 'whatever the factor was')
  const list = (await app.inject({ url: '/factors', headers: credential })).json().data
  t.equal(list.find(({ kind }: { kind: string }) => kind === 'recovery_code').left, 2)
})

test('wrong codes count for the account, over all logins: 429 with Retry-After, and a mail', async (t, env) => {
  const { app, mailServer, clock, address } = await startFactorCenter(t, env)
  const wrong = async () => {
    const { pending } = await beginLogin(app, 'token')
    return post(app, '/login_factor', { pending, factor: 'totp', code: '000000' })
  }
  const statuses: number[] = []
  for (let count = 0; count < 11; count++) statuses.push((await wrong()).statusCode)
  t.same(statuses, [...Array(10).fill(401), 429])
  t.ok(Number((await wrong()).headers['retry-after']) > 0)
  await app.accountMail.flush()
  const notices = mailServer.mails.filter(({ text }) => /several wrong codes/.test(text))
  t.same(
    notices.map(({ to }) => to),
    [[address]],
  )
  t.equal((await signIn(app, 'cookie', ADMIN)).response.statusCode, 200, 'nobody else is throttled')
  t.ok(clock())
})
