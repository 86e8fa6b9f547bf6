import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { DeviceClient } from '../helpers/device-client.js'
import { movedBy } from '../helpers/exposition.js'
import { codeAt, enrolTotp } from '../helpers/factor-center.js'
import { ADMIN, listen, post, refusedByCenter, signIn, USER } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const SECURE = { COOKIE_SECURE: 'true', COOKIE_NAME: 'center', SESSION_NAME: 'sid' }
const MODES = ['cookie', 'session'] as const
const NAMES = { cookie: '__Host-center', session: '__Host-sid' }

async function signedIn(t: Test, mode: (typeof MODES)[number], env: Record<string, string> = SECURE) {
  const { app, clock } = await startUserCenter(t, env)
  const client = new DeviceClient(app, clock)
  const login = await client.post(`/login_${mode}`, USER)
  t.equal(login.statusCode, 200)
  return { app, clock, client, login }
}

const withoutProof = (jar: string) => jar.split('; ').find((pair) => /^__Host-(center|sid)=/.test(pair)) ?? ''

for (const mode of MODES) {
  t.test(`${mode}: the user center binds sign-ins, lists them so, and refuses a copied cookie`, async (t) => {
    const { app, clock, client } = await signedIn(t, mode)
    t.ok(client.has(`${NAMES[mode]}_proof`))
    clock.advance(80)
    t.equal((await client.get('/user_info')).statusCode, 200)
    t.match((await client.get('/sign_ins')).json().data, [{ auth_type: mode, bound: true, current: true }])
    const headers = { cookie: withoutProof(client.cookies()) }
    refusedByCenter(t, await app.inject({ url: '/user_info', headers }), 403, 'DEVICE_PROOF_REQUIRED')
    const chinese = { ...headers, 'accept-language': 'zh' }
    t.match((await app.inject({ url: '/user_info', headers: chinese })).json().msg, /设备/)
    for (let hours = 0; hours < 3; hours++) {
      clock.advance(1800)
      t.equal((await client.get('/user_info')).statusCode, 200)
    }
    const logout = await client.post(`/logout_${mode}`)
    const cleared = logout.cookies.filter(({ maxAge }) => maxAge === 0).map(({ name }) => name)
    t.strictSame(cleared.sort(), [NAMES[mode], `${NAMES[mode]}_proof`])
  })

  t.test(`${mode}: an API key takes a fresh proof, and nothing else does`, async (t) => {
    const { app, clock, client } = await signedIn(t, mode)
    clock.advance(100)
    const headers = { cookie: client.cookies() }
    const body = { name: 'backup' }
    const thief = await app.inject({ method: 'POST', url: '/api_keys', headers, payload: body })
    t.match(thief, { statusCode: 307, headers: { location: '?device_proof=asked' } })
    const url = '/api_keys?device_proof=asked'
    refusedByCenter(
      t,
      await app.inject({ method: 'POST', url, headers, payload: body }),
      403,
      'DEVICE_PROOF_REQUIRED',
    )
    const made = await client.post('/api_keys', body)
    t.equal(made.statusCode, 201)
    t.match(client.log.at(-1), '/device/refresh 200')
    t.equal((await client.get('/api_keys')).json().data.length, 1)
    const bearer = { authorization: `Bearer ${made.json().data.key}` }
    refusedByCenter(
      t,
      await app.inject({ method: 'POST', url: '/api_keys', headers: bearer, payload: body }),
      403,
      'MODE_REQUIRED',
    )
  })

  t.test(`${mode}: a new e-mail address takes a fresh proof`, async (t) => {
    const { app, clock, client } = await signedIn(t, mode)
    clock.advance(100)
    const headers = { cookie: client.cookies() }
    const payload = { email: 'user1@mail.example' }
    const thief = (mark = '') => app.inject({ method: 'POST', url: `/email${mark}`, headers, payload })
    t.match(await thief(), { statusCode: 307, headers: { location: '?device_proof=asked' } })
    refusedByCenter(t, await thief('?device_proof=asked'), 403, 'DEVICE_PROOF_REQUIRED')
    t.equal((await client.post('/email', payload)).statusCode, 202)
  })

  t.test(`${mode}: every change of a factor takes a fresh proof`, async (t) => {
    const { app, clock } = await startUserCenter(t, { ...SECURE, PUBLIC_URL: 'https://center.example' })
    /** Bound, and with a proof that is not fresh. */
    const enter = async (who: object) => {
      const client = new DeviceClient(app, clock)
      await client.post(`/login_${mode}`, who)
      clock.advance(100)
      return client
    }
    const changes = [
      ['POST', '/factors/totp', {}],
      ['POST', '/factors/totp/confirm', { id: 'x', code: '123456' }],
      ['POST', '/factors/recovery_codes', {}],
      ['POST', '/passkeys/options', {}],
      ['POST', '/passkeys', { response: {}, name: 'x' }],
      ['PATCH', '/factors/x', { name: 'x' }],
      ['DELETE', '/factors/x', {}],
    ] as const
    for (const [method, url, payload] of changes) {
      const headers = { cookie: (await enter(USER)).cookies() }
      const thief = (mark = '') => app.inject({ method, url: `${url}${mark}`, headers, payload })
      t.equal((await thief()).statusCode, 307, url)
      refusedByCenter(t, await thief('?device_proof=asked'), 403, 'DEVICE_PROOF_REQUIRED', url)
    }
    const client = await enter(USER)
    const { id, secret } = (await client.post('/factors/totp', {})).json().data
    const code = codeAt(secret, clock())
    t.equal((await client.post('/factors/totp/confirm', { id, code })).statusCode, 200)
    const headers = { cookie: (await enter(ADMIN)).cookies() }
    const url = '/accounts/user1/factors?device_proof=asked'
    const stolen = await app.inject({ method: 'DELETE', url, headers })
    refusedByCenter(t, stolen, 403, 'DEVICE_PROOF_REQUIRED', 'nor does a copied administrator remove any')
  })

  t.test(`${mode}: making an administrator and enabling an account take a fresh proof`, async (t) => {
    const { app, clock } = await startUserCenter(t, SECURE)
    const client = new DeviceClient(app, clock)
    await client.post(`/login_${mode}`, ADMIN)
    clock.advance(100)
    const headers = { cookie: client.cookies() }
    const thief = (payload: object, mark = '') =>
      app.inject({ method: 'PATCH', url: `/accounts/user1${mark}`, headers, payload })
    t.equal((await thief({ disabled: true })).statusCode, 200, 'what takes something away does not wait')
    for (const payload of [{ disabled: false }, { role: 'admin' }]) {
      t.match(await thief(payload), { statusCode: 307, headers: { location: '?device_proof=asked' } })
      refusedByCenter(t, await thief(payload, '?device_proof=asked'), 403, 'DEVICE_PROOF_REQUIRED')
    }
    t.match(await app.accounts.findByUsername('user1'), { role: 'user', disabled: true })
    const payload = { role: 'admin', disabled: false }
    t.equal((await client.send({ method: 'PATCH', url: '/accounts/user1', payload })).statusCode, 200)
    t.match(await app.accounts.findByUsername('user1'), payload)
  })

  t.test(`${mode}: without secure cookies, or if it is off, nothing is offered`, async (t) => {
    for (const env of [{}, { ...SECURE, DEVICE_BINDING: 'off' }]) {
      const { app, clock, client, login } = await signedIn(t, mode, env)
      t.equal(login.headers['secure-session-registration'], undefined)
      for (const path of ['/device/register', '/device/refresh'])
        refusedByCenter(t, await app.inject({ method: 'POST', url: path }), 404, 'NOT_FOUND')
      clock.advance(100)
      t.equal((await client.get('/user_info')).statusCode, 200)
      t.match((await client.get('/sign_ins')).json().data, [{ bound: false }])
      t.equal((await client.post('/api_keys', { name: 'x' })).statusCode, 201)
    }
  })
}

t.test(
  'the browser’s own requests meet no limit and no origin check, and no document shows them',
  async (t) => {
    const { app, client } = await signedIn(t, 'cookie', { ...SECURE, LOGIN_LIMIT_ADDRESS: '1', DOCS: 'true' })
    const bound = client.bound.get('__Host-center_proof')
    const headers = { 'sec-secure-session-id': bound?.id ?? '', 'sec-fetch-site': 'cross-site' }
    const refresh = () =>
      app.inject({ method: 'POST', url: '/device/refresh', headers, payload: 'x'.repeat(20_000) })
    for (let times = 0; times < 20; times++) t.equal((await refresh()).statusCode, 403)
    t.match((await refresh()).headers, { 'secure-session-challenge': /^"p\./, 'cache-control': 'no-store' })
    const { paths } = (await app.inject('/docs/json')).json()
    t.notOk(Object.keys(paths).some((path) => path.startsWith('/device')))
  },
)

t.test('a body that comes late does not outrun a new second factor, or the age of the sign-in', async (t) => {
  const { app, clock } = await startUserCenter(t, SECURE)
  const port = await listen(app)
  let { credential } = await signIn(app, 'token')
  const late = async (path: string, bodyOf: () => object, meanwhile: () => unknown) => {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const head = [`POST ${path} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json']
    const { authorization } = credential
    head.push(`Authorization: ${authorization}`, 'Content-Length: 1000', 'Expect: 100-continue', '', '')
    socket.write(head.join('\r\n'))
    await once(socket, 'data')
    await meanwhile()
    socket.write(JSON.stringify(bodyOf()).padEnd(1000))
    const [answer] = await once(socket, 'data')
    return String(answer)
  }
  const age = () => clock.advance(601)
  t.match(await late('/api_keys', () => ({ name: 'late' }), age), 'SIGN_IN_TOO_OLD')
  const owner = (await signIn(app, 'token')).credential
  credential = (await signIn(app, 'token')).credential
  const { id, secret } = (await post(app, '/factors/totp', {}, credential)).json().data
  const confirmation = () => ({ id, code: codeAt(secret, clock()) })
  const enrol = () => enrolTotp({ app, clock }, owner)
  t.match(await late('/factors/totp/confirm', confirmation, enrol), 'FACTOR_REQUIRED')
  const { data } = (await app.inject({ url: '/factors', headers: owner })).json()
  t.same(
    data.map(({ kind }: { kind: string }) => kind),
    ['totp', 'recovery_code'],
  )
})

t.test('the document has the redirect that asks for a fresh proof, and its headers', async (t) => {
  const { app, clock, client } = await signedIn(t, 'cookie', { ...SECURE, DOCS: 'true' })
  clock.advance(100)
  const headers = { cookie: client.cookies() }
  const answer = await app.inject({ method: 'POST', url: '/api_keys', headers, payload: { name: 'x' } })
  const { paths } = (await app.inject('/docs/json')).json()
  const told = paths['/api_keys'].post.responses[answer.statusCode]
  t.equal(answer.statusCode, 307)
  t.strictSame(Object.keys(told?.headers ?? {}), ['Location', 'Secure-Session-Challenge'])
  for (const name of Object.keys(told?.headers ?? {})) t.type(answer.headers[name.toLowerCase()], 'string')
  t.equal(answer.body, '')
})

for (const mode of MODES)
  t.test(`${mode}: metrics count bound sign-ins, and copies without their key`, async (t) => {
    const { app, clock } = await startUserCenter(t, SECURE)
    const client = new DeviceClient(app, clock)
    const except = /^(store|resolve|cache|hash|refusals)_/
    t.same(await movedBy(app, () => client.post(`/login_${mode}`, USER), except), {
      [`sign_ins_total{mode="${mode}"}`]: 1,
      [`bound_sign_ins_total{mode="${mode}"}`]: 1,
    })
    clock.advance(80)
    const headers = { cookie: withoutProof(client.cookies()) }
    t.same(await movedBy(app, () => app.inject({ url: '/user_info', headers }), except), {
      [`proofs_refused_total{mode="${mode}",reason="missing"}`]: 1,
    })
  })
