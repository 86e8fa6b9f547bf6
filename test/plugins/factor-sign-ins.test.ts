import t, { type Test } from 'tap'
import { accountOf, addAccount, addTotp, type Client, factorApp, PASSWORD } from '../helpers/factor-app.js'
import { deviceOf } from '../helpers/http.js'

const totp = (pending: string, code: string) => ({ pending, factor: 'totp', code })
const isSaid = (response: { json(): { error?: string } }) => response.json().error

/** Somebody with an authenticator app. */
async function start(t: Test, more: Parameters<typeof factorApp>[1] = {}) {
  const made = await factorApp(t, more)
  const account = await addAccount(made.app)
  return { ...made, account, ...(await addTotp(made.app, made.clock)) }
}

/** The finishing is refused, and nobody is signed in by it. */
async function refuses(t: Test, client: Client, body: object, name: string) {
  const before = await client.app.signIns.list((await accountOf(client.app, 'alice')).id)
  const response = await client.post('/finish', body)
  t.equal(response.statusCode, 401, `${name}: status`)
  t.strictSame(response.json(), { error: 'FACTOR_REFUSED' }, `${name}: says nothing else`)
  const after = await client.app.signIns.list((await accountOf(client.app, 'alice')).id)
  t.equal(after.length, before.length, `${name}: no sign-in`)
}

t.test('a right password of an account with a second factor signs nobody in', async (t) => {
  const { app, client, account } = await start(t)
  const events: unknown[] = []
  app.audit.subscribe((event) => void events.push(event))
  const before = await app.signIns.list(account.id)
  const browser = client()
  const response = await browser.post('/login/cookie', { username: 'alice', password: PASSWORD })
  t.match(response, { statusCode: 401, headers: { 'cache-control': 'no-store' } })
  const { data, error } = response.json()
  t.equal(error, 'SECOND_FACTOR_REQUIRED')
  t.strictSame(data.factors, ['totp', 'recovery_code'])
  t.equal(data.expires_in, 300)
  t.strictSame(
    response.cookies.map(({ name, httpOnly, sameSite, path, maxAge }) => ({
      name,
      httpOnly,
      sameSite,
      path,
      maxAge,
    })),
    [{ name: 'pending', httpOnly: true, sameSite: 'Strict', path: '/', maxAge: 300 }],
    'and sets no other cookie: none of a device, none of a sign-in',
  )
  t.match(events, [{ type: 'second_factor_asked', accountId: account.id, mode: 'cookie' }])
  t.equal(events.length, 1)
  t.strictSame(await app.signIns.list(account.id), before, 'no list has it')
  t.equal(isSaid(await browser.me()), 'NOT_SIGNED_IN')
})

t.test('no guard takes the pending value, nor its cookie, as anything', async (t) => {
  const { app, client } = await start(t)
  const browser = client()
  const pending = await browser.pending()
  const half = browser.jar.get('pending') ?? ''
  for (const value of [pending, half, `${pending}.${half}`, `v1.${pending}`]) {
    for (const cookie of [`identity=${value}`, `session=${value}`, `pending=${half}; identity=${value}`]) {
      const answer = await app.inject({ url: '/me', headers: { cookie } })
      t.equal(answer.statusCode, 401, cookie)
    }
    const answer = await app.inject({ url: '/me', headers: { authorization: `Bearer ${value}` } })
    t.equal(answer.statusCode, 401, value)
  }
})

for (const mode of ['cookie', 'session', 'token'] as const) {
  t.test(`${mode}: password and code are a sign-in of both, with what the login asked for`, async (t) => {
    const { app, client, code, account, clock } = await start(t)
    const browser = client()
    const passwordAt = clock.now
    const pending = await browser.pending(mode, { remember: true, memo: { refresh_cookie: true } })
    t.equal(browser.jar.has('pending'), mode !== 'token')
    const finished = await browser.post('/finish', totp(pending, code()))
    t.equal(finished.statusCode, 200, finished.body)
    const { issued, memo, username, mode: by, left } = finished.json()
    t.strictSame(
      { memo, username, by, left },
      { memo: { refresh_cookie: true }, username: 'alice', by: mode, left: undefined },
    )
    t.notOk(browser.jar.has('pending'), 'its cookie is cleared')
    const headers =
      mode === 'token' ? { authorization: `Bearer ${issued.token}` } : { cookie: browser.cookie }
    const me = await app.inject({ url: '/me', headers })
    t.match(me.json(), { accountId: account.id, mode, claims: { team: 'tea' } })
    t.strictSame(me.json().factors, [
      { method: 'password', at: passwordAt },
      { method: 'totp', at: clock.now },
    ])
    if (mode === 'token') return
    t.ok(deviceOf(finished), 'the device is known from now on')
    const kept = finished.cookies.find(({ name }) => name === (mode === 'cookie' ? 'identity' : 'session'))
    t.ok(kept?.maxAge, 'and the person is remembered')
  })
}

t.test('it is used once, and only by the browser in which it began', async (t) => {
  const { client, code, now, recoveryCodes } = await start(t)
  const [browser, other] = [client(), client()]
  const pending = await browser.pending()
  await other.pending()
  await refuses(t, client(), totp(pending, code()), 'no cookie')
  await refuses(t, other, totp(pending, now()), 'the cookie of another browser')
  other.jar.set('pending', pending)
  await refuses(t, other, totp(pending, now()), 'the value as the cookie')
  t.equal(
    (await browser.post('/finish', totp(pending, now()))).statusCode,
    200,
    'none of which spent the code',
  )
  await refuses(t, browser, totp(pending, code()), 'a second time')
  browser.jar.set('pending', other.jar.get('pending') ?? '')
  const [recovery = ''] = recoveryCodes
  await refuses(
    t,
    browser,
    { pending, factor: 'recovery_code', code: recovery },
    'a second time, by another factor',
  )
})

t.test('it goes on at another address: people change networks', async (t) => {
  const { app, client, code } = await start(t)
  for (const mode of ['cookie', 'session', 'token'] as const) {
    const browser = client('192.0.2.1')
    const pending = await browser.pending(mode)
    const moved = client('2001:db8::1')
    for (const [name, value] of browser.jar) moved.jar.set(name, value)
    t.equal((await moved.post('/finish', totp(pending, code()))).statusCode, 200, mode)
  }
  t.ok(app)
})

t.test('two tabs of one browser each finish their own sign-in', async (t) => {
  const { client, code } = await start(t)
  const browser = client()
  const [first, second] = [await browser.pending('cookie'), await browser.pending('session')]
  t.equal((await browser.post('/finish', totp(first, code()))).statusCode, 200)
  const later = await browser.pending('session')
  t.equal((await browser.post('/finish', totp(later, code()))).statusCode, 200)
  await refuses(t, browser, totp(second, code()), 'its cookie was cleared with the first')
})

t.test('the second tab does not spoil the sign-in of the first', async (t) => {
  const { client, code } = await start(t)
  const browser = client()
  const first = await browser.pending()
  await browser.pending()
  const token = await browser.pending('token')
  t.equal((await browser.post('/finish', totp(token, code()))).statusCode, 200)
  t.equal((await browser.post('/finish', totp(first, code()))).statusCode, 200)
})

t.test('it is over after five minutes, after five tries, and nothing tells which', async (t) => {
  const { client, code, clock, now } = await start(t)
  const late = client()
  const first = await late.pending()
  clock.advance(270)
  const right = code()
  await refuses(t, late, totp(first, right), 'after five minutes')
  const tired = client()
  const second = await tired.pending()
  for (let each = 0; each < 5; each++) await refuses(t, tired, totp(second, '000000'), `try ${each}`)
  await refuses(t, tired, totp(second, now()), 'the sixth, although it is right')
  const fresh = client()
  t.equal((await fresh.post('/finish', totp(await fresh.pending(), now()))).statusCode, 200)
})

t.test('it is void after a change of the password, and after the account is disabled', async (t) => {
  const { app, client, code, account, now } = await start(t)
  const browser = client()
  const changed = await browser.pending()
  await app.accounts.changePassword(account.id, PASSWORD, 'another horse battery')
  await refuses(t, browser, totp(changed, code()), 'after a change of the password')
  const disabled = await browser.pending('cookie', { password: 'another horse battery' })
  await app.accounts.setDisabled(account.id, true)
  await refuses(t, browser, totp(disabled, now()), 'while disabled')
  await app.accounts.setDisabled(account.id, false)
  await refuses(t, browser, totp(disabled, now()), 'enabled again')
  const fresh = await browser.pending('cookie', { password: 'another horse battery' })
  t.equal((await browser.post('/finish', totp(fresh, now()))).statusCode, 200)
})

t.test('it is void when the factor was removed meanwhile, and asks nobody else’s factor', async (t) => {
  const { app, client, account, clock, code } = await start(t)
  await addAccount(app, 'mallory')
  const mallory = await addTotp(app, clock, 'mallory')
  const browser = client()
  const pending = await browser.pending()
  await refuses(t, browser, totp(pending, mallory.code()), 'the code of another account')
  const [recovery = ''] = mallory.recoveryCodes
  await refuses(
    t,
    browser,
    { pending, factor: 'recovery_code', code: recovery },
    'a recovery code of another account',
  )
  const right = code()
  await app.factors.reset(account.id)
  await refuses(t, browser, totp(pending, right), 'no factor is left')
  t.equal((await browser.post('/login/cookie', { username: 'alice', password: PASSWORD })).statusCode, 200)
})

t.test('whatever comes as a proof or as a pending value is refused, and never a fault', async (t) => {
  const { client } = await start(t)
  const browser = client()
  const pending = await browser.pending()
  const proofs: object[] = [
    {},
    { factor: 'totp' },
    { factor: 'totp', code: 123456 },
    { factor: 'totp', code: null },
    { factor: 'password', code: PASSWORD },
    { factor: 'constructor', code: '000000' },
    { factor: '__proto__', code: '0' },
    { factor: 'passkey' },
    { factor: 'passkey', response: null },
    { factor: 'passkey', response: 'x' },
    { factor: ['totp'], code: '000000' },
    { factor: 'recovery_code', code: '' },
    { factor: 'recovery_code', code: 'x'.repeat(100_000) },
  ]
  for (const [each, proof] of proofs.entries()) {
    const other = client(`192.0.2.${each}`)
    const own = each % 4 === 0 ? await other.pending() : await other.pending('token')
    const response = await other.post('/finish', { pending: own, ...proof })
    t.ok([401, 429].includes(response.statusCode), `${JSON.stringify(proof).slice(0, 60)}: ${response.body}`)
  }
  for (const value of ['', 'b', null, 5, [pending], { pending }, `${pending} `, 'x'.repeat(10_000), '\0']) {
    const response = await browser.post('/finish', { pending: value, factor: 'totp', code: '000000' })
    t.match(
      [response.statusCode, isSaid(response)],
      [401, 'FACTOR_REFUSED'],
      JSON.stringify(value).slice(0, 40),
    )
  }
})
