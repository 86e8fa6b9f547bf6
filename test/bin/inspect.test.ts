import { generateKeyPairSync } from 'node:crypto'
import { readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { KeyFormat } from '../../plugins/lib/api-key/format.js'
import { DeviceClient } from '../helpers/device-client.js'
import { boundClient, CENTER, proofKey } from '../helpers/dpop.js'
import { cookieOf, MODES, type Mode, post, signIn, USER } from '../helpers/http.js'
import { startRedis } from '../helpers/redis-server.js'
import { input, runCommand } from '../helpers/terminal.js'
import { makeDataDir, startUserCenter, type UserCenter } from '../helpers/user-center.js'

const SECRETS = ['1f'.repeat(20), '7c'.repeat(20), 'e5'.repeat(20)] as const
const ENV = { AUTH_SECRETS: SECRETS[0] }

type Env = Record<string, string>

interface Center extends UserCenter {
  readonly env: Env
}

async function start(t: Test, env: Env = {}): Promise<Center> {
  const center = await startUserCenter(t, { ...ENV, ...env })
  return { ...center, env: { ...ENV, ...env, DATA_DIR: center.dataDir } }
}

/** What the command makes of a text, in the environment of a server or in another one. */
function inspect({ env, clock }: Center, text: string, changed: Env = {}) {
  return runCommand(['inspect'], { env: { ...env, ...changed }, stdin: input(text), clock })
}

/** The header that a client of the mode sends. */
async function headerOf(center: Center, mode: Mode): Promise<string> {
  const { credential } = await signIn(center.app, mode)
  return Object.entries(credential)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}

/** Nothing that the command prints may work as a credential. */
function hidesSecrets(t: Test, text: string, printed: string): void {
  const mac = text.slice(-40)
  t.notOk(printed.includes(mac), 'no credential is repeated')
  for (const secret of SECRETS) t.notOk(printed.includes(secret), 'no secret is shown')
}

t.test('a credential that is good is accepted, and its content shown', async (t) => {
  const center = await start(t)
  const kinds = { token: 'access token', session: 'session cookie', cookie: 'auth cookie' }
  for (const mode of MODES) {
    const header = await headerOf(center, mode)
    const { status, stdout, stderr } = await inspect(center, `${header}\n`)
    t.same({ status, stderr }, { status: 0, stderr: '' }, mode)
    t.match(stdout, `kind:       ${kinds[mode]}`)
    t.match(stdout, /secret number 1 of AUTH_SECRETS/)
    t.match(stdout, /genuine: {4}yes/)
    t.match(stdout, /verdict: {4}accepted/)
    t.match(stdout, /signed in: {2}2031-01-01T00:00:00.000Z \(0 seconds ago\) from 127\.0\.0\.1/)
    t.equal(stdout.includes('"username": "user1"'), mode !== 'session', `${mode}: readable content`)
    hidesSecrets(t, header, stdout)
  }
})

t.test('a bound token is told from an unbound one, and under which scheme each belongs', async (t) => {
  // Good enough for production.
  const center = await start(t, { AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6' })
  const client = boundClient(center.app, proofKey(), CENTER)
  const { data } = (await client.send('POST', '/login_token', { payload: USER })).json()
  const bound = /bound: {6}to the key [\w-]{43}; each use needs a DPoP proof by it\n/
  for (const text of [`Authorization: DPoP ${data.token}`, data.token, data.refresh_token]) {
    const { status, stdout } = await inspect(center, text)
    t.equal(status, 0)
    t.match(stdout, bound)
    t.match(stdout, /verdict: {4}accepted/)
    hidesSecrets(t, text, stdout)
  }
  const bearer = await inspect(center, `Bearer ${data.token}`)
  t.match(bearer.stdout, /refused as TOKEN_INVALID\. It is bound to a key/)
  const unbound = (await headerOf(center, 'token')).replace('Bearer', 'DPoP')
  t.match((await inspect(center, unbound)).stdout, /refused as TOKEN_INVALID\. It is bound to no key/)
  t.notMatch((await inspect(center, unbound)).stdout, bound)
  const elsewhere = { NODE_ENV: 'production', SINGLE_INSTANCE: 'true' }
  t.match((await inspect(center, data.token, elsewhere)).stdout, /TOKEN_INVALID\. Without PUBLIC_URL/)
})

t.test('a cookie of a sign-in that is bound to a device is told from others', async (t) => {
  const center = await start(t, { COOKIE_SECURE: 'true' })
  for (const mode of ['cookie', 'session'] as const) {
    for (const registers of [true, false]) {
      const client = new DeviceClient(center.app, center.clock)
      client.registers = registers
      await client.post(`/login_${mode}`, USER)
      const { status, stdout } = await inspect(center, `Cookie: ${client.cookies()}`)
      t.equal(status, 0)
      t.equal(/bound: {6}to a device; without its proof/.test(stdout), registers, `${mode}: ${registers}`)
    }
  }
})

t.test('the proof of a device is judged beside its cookie, and alone', async (t) => {
  const center = await start(t, { COOKIE_SECURE: 'true' })
  const signedIn = async (mode: 'cookie' | 'session') => {
    const client = new DeviceClient(center.app, center.clock)
    await client.post(`/login_${mode}`, USER)
    return client.cookies()
  }
  const proofIn = (jar: string) => jar.split('; ').find((pair) => pair.includes('_proof=')) ?? ''
  for (const mode of ['cookie', 'session'] as const) {
    const jar = await signedIn(mode)
    const [proof, another] = [proofIn(jar), proofIn(await signedIn(mode))]
    const good = await inspect(center, `Cookie: ${jar}`)
    t.match([good.status, good.stdout.match(/kind:/g)?.length], [0, 1], 'one credential')
    const other = await inspect(center, jar.replace(proof, another))
    t.match(other.stdout, /refused as DEVICE_PROOF_REQUIRED\. The proof beside it .* names another sign-in/)
    for (const text of [proof, proof.split('=', 2)[1] ?? '']) {
      const alone = await inspect(center, text)
      t.match(alone, { status: 0, stderr: '' })
      t.match(alone.stdout, /kind: {7}proof of a device[\s\S]*genuine: {4}yes[\s\S]*"mode": "\w+"/)
      t.match(
        alone.stdout,
        /expires: .*in \d+ minutes[\s\S]*accepted, beside the cookie of the sign-in that it names/,
      )
      hidesSecrets(t, text, alone.stdout)
    }
    t.match((await inspect(center, `${proof}x`)).stdout, /genuine: {4}no/)
    center.clock.advance(20 * 60)
    const late = await inspect(center, `Cookie: ${jar}`)
    t.equal(late.status, 1)
    t.match(late.stdout, /refused as DEVICE_PROOF_REQUIRED\. The proof beside it has expired/)
    t.match((await inspect(center, `Cookie: ${jar}`, { DEVICE_BINDING: 'off' })).status, 0)
    t.match((await inspect(center, proof)).stdout, /genuine: {4}yes[\s\S]*refused as DEVICE_PROOF_REQUIRED/)
  }
})

t.test('cookies are found under the names that the server has for them', async (t) => {
  const center = await start(t, { COOKIE_NAME: 'a.b|c', SESSION_NAME: 'sid' })
  for (const [mode, kind] of [
    ['cookie', 'auth cookie'],
    ['session', 'session cookie'],
  ] as const) {
    const { status, stdout } = await inspect(center, `identity=other; ${await headerOf(center, mode)}`)
    t.equal(status, 0, mode)
    t.match(stdout, `kind:       ${kind}`)
  }
  const value = (await headerOf(center, 'session')).replace(/^.*?=/, '')
  const misplaced = await inspect(center, `a.b|c=${value}`)
  t.match(misplaced.stdout, 'stands under the name of another cookie')
})

t.test('a sign-in that was ended is said to be', async (t) => {
  const center = await start(t)
  for (const mode of MODES) {
    const { credential } = await signIn(center.app, mode)
    const [header = ''] = Object.values(credential)
    await post(center.app, `/logout_${mode}`, {}, credential)
    const { status, stdout, stderr } = await inspect(center, header)
    t.equal(status, 1, mode)
    t.match(stdout, /genuine: {4}yes/)
    t.match(stdout, /verdict: {4}refused as SIGNED_OUT\./)
    t.equal(stderr, 'fastify-identity: The server refuses it.\n')
  }
})

t.test('what has expired is said to be, and since when', async (t) => {
  const center = await start(t)
  const headers = { token: await headerOf(center, 'token'), cookie: await headerOf(center, 'cookie') }
  center.clock.advance(3600 + 120)
  const token = await inspect(center, headers.token)
  t.match(token.stdout, /expires: .*\(47 minutes ago\)[\s\S]*refused as TOKEN_EXPIRED/)
  const cookie = await inspect(center, headers.cookie)
  t.match(cookie.stdout, /expires: .*\(2 minutes ago\)[\s\S]*refused as CREDENTIAL_EXPIRED/)
  t.same([token.status, cookie.status], [1, 1])
})

t.test('a credential of a secret that is gone is told from one that was altered', async (t) => {
  const center = await start(t)
  const codes = { token: 'TOKEN_INVALID', session: 'CREDENTIAL_INVALID', cookie: 'CREDENTIAL_INVALID' }
  for (const mode of MODES) {
    const header = await headerOf(center, mode)
    const gone = await inspect(center, header, { AUTH_SECRETS: SECRETS[1] })
    t.match(gone.stdout, new RegExp(`genuine: {4}no[\\s\\S]*refused as ${codes[mode]}\\. .*not here`), mode)
    const kept = await inspect(center, header, { AUTH_SECRETS: `${SECRETS[1]},${SECRETS[0]}` })
    t.match(kept.stdout, /secret number 2 of AUTH_SECRETS[\s\S]*accepted/, mode)
    const altered = await inspect(center, `${header.slice(0, -3)}${header.endsWith('AAA') ? 'BBB' : 'AAA'}`)
    t.match(
      altered.stdout,
      new RegExp(`genuine: {4}no[\\s\\S]*refused as ${codes[mode]}\\. .*(altered|not match)`),
      mode,
    )
    t.same([gone.status, kept.status, altered.status], [1, 0, 1])
  }
})

t.test('a cookie under the name of the other one is refused for that', async (t) => {
  const center = await start(t)
  const header = await headerOf(center, 'session')
  const { status, stdout } = await inspect(center, header.replace('session=', 'identity='))
  t.match(stdout, /genuine, but stands under the name of another cookie/)
  t.equal(status, 1)
})

t.test('each cookie of a header is looked at, with or without the prefix', async (t) => {
  const center = await start(t)
  const session = cookieOf((await signIn(center.app, 'session')).response)
  const cookie = cookieOf((await signIn(center.app, 'cookie')).response)
  const { status, stdout } = await inspect(center, `Cookie: theme=dark; __Host-${session}; __Host-${cookie}`)
  t.equal(status, 0)
  t.same(stdout.match(/^kind: .*$/gm), ['kind:       session cookie', 'kind:       auth cookie'])
})

t.test('a refresh token is the newest, a retry, or used; no theft is seen in looking', async (t) => {
  const center = await start(t)
  const { refreshToken: first } = await signIn(center.app, 'token')
  t.match(await inspect(center, first), { status: 0, stdout: /refresh token[\s\S]*It is the newest one/ })
  const renewed = await post(center.app, '/refresh_token', { refresh_token: first })
  const second: string = renewed.json().data.refresh_token
  t.match(await inspect(center, first), { status: 0, stdout: /Within the grace/ })
  center.clock.advance(10)
  t.match(await inspect(center, first), { status: 1, stdout: /REFRESH_REFUSED. It was used already/ })
  t.match(await inspect(center, second), { status: 0, stdout: /accepted/ })
  await post(center.app, '/logout_token', { refresh_token: second })
  t.match(await inspect(center, second), { status: 1, stdout: /There is no such sign-in any more/ })
})

t.test(
  'a refresh token of a sign-in that was ended is refused, also where its record was left behind',
  async (t) => {
    const center = await start(t)
    const { app } = center
    const { refreshToken } = await signIn(app, 'token')
    const [record] = await app.signIns.list((await app.accounts.findByUsername('user1'))?.id ?? '')
    if (!record) throw new Error('there is no sign-in')
    // As a login leaves it that raced the end of its account's sign-ins.
    await app.stateStore.raiseEpoch(record.accountId, record.epoch + 1, null, record.absoluteExpiresAt)
    t.equal((await post(app, '/refresh_token', { refresh_token: refreshToken })).statusCode, 401)
    t.match(await inspect(center, refreshToken), {
      status: 1,
      stdout: /REFRESH_REFUSED\. Its sign-in has ended/,
    })
  },
)

t.test('a cookie is past its time at the absolute limit as well, where that was shortened', async (t) => {
  const center = await start(t)
  const header = await headerOf(center, 'cookie')
  center.clock.advance(600)
  const limits = { COOKIE_TTL: '600', REMEMBER_TTL: '600', COOKIE_ABSOLUTE_TTL: '600' }
  t.match(await inspect(center, header, limits), { status: 1, stdout: /CREDENTIAL_EXPIRED/ })
  t.match(await inspect(center, header), { status: 0, stdout: /in 50 minutes[\s\S]*accepted/ })
})

t.test('a token of another issuer, or from the future, is refused for that', async (t) => {
  const center = await start(t)
  const token = (await headerOf(center, 'token')).replace('authorization: ', '')
  const issuer = await inspect(center, token, { TOKEN_ISSUER: 'somebody-else' })
  t.match(issuer.stdout, /TOKEN_INVALID\. Its issuer \(iss\) is not somebody-else/)
  const audience = await inspect(center, token, { TOKEN_AUDIENCE: 'another' })
  t.match(audience.stdout, /Its audience \(aud\) is not another/)
  center.clock.advance(-60)
  t.match((await inspect(center, token)).stdout, /issued in the future/)
})

t.test('a token of an asymmetric key is verified by that', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const center = await start(t, { TOKEN_PRIVATE_KEY: pem })
  const token = (await headerOf(center, 'token')).replace('authorization: ', '')
  t.match(await inspect(center, token), { status: 0, stdout: /no secret of AUTH_SECRETS[\s\S]*accepted/ })
  const gone = await inspect(center, token, { TOKEN_PRIVATE_KEY: '' })
  t.match(gone.stdout, /TOKEN_INVALID\. Its key is not here/)
})

t.test('what is no credential is said to be none, and cannot command the terminal', async (t) => {
  const center = await start(t)
  for (const text of ['hello', 'v1.x', 'eyJ.no', 'eyJhbGciOiJub25lIn0.e30.', '{}', 'v1.AAAAAAAA.e30.AAAA'])
    t.match(await inspect(center, text), { status: 1, stdout: /genuine: {4}no[\s\S]*refused as/ }, text)
  const content = Buffer.from(JSON.stringify({ username: 'a\u202e\u009b31m', exp: 8e15 })).toString(
    'base64url',
  )
  const { stdout } = await inspect(center, `v1.AAAAAAAA.${content}.AAAA`)
  t.notMatch(stdout, /[\u202e\u009b]/)
  t.match(stdout, 'u{202e}')
})

t.test('without input, with an argument, or without secrets nothing is guessed', async (t) => {
  const env = { DATA_DIR: t.testdir() }
  const run = (args: string[], text: string) => runCommand(args, { env, stdin: input(text) })
  t.match(await run(['inspect', 'v1.secret'], ''), {
    status: 2,
    stderr: /never taken from an argument/,
    stdout: '',
  })
  t.notMatch((await run(['inspect', 'v1.secret'], '')).stderr, 'v1.secret')
  t.match(await run(['inspect'], ' \n'), { status: 1, stderr: /nothing on standard input/ })
  t.match(await run(['inspect'], 'v1.x.y.z'), { status: 1, stderr: /AUTH_SECRETS is not set/ })
  t.match(await run(['inspect'], 'x'.repeat(70_000)), { status: 1, stderr: /too long/ })
})

t.test('where there is no store yet, only what the credential says itself is judged', async (t) => {
  const center = await start(t)
  const header = await headerOf(center, 'cookie')
  const { status, stdout } = await inspect(center, header, { DATA_DIR: t.testdir() })
  t.match(stdout, /There is no store here to ask/)
  t.equal(status, 0)
})

t.test('with REDIS_URL it is Redis that is asked', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const center = await start(t, { REDIS_URL: redis.url })
  const { credential } = await signIn(center.app, 'session')
  const [header = ''] = Object.values(credential)
  t.match(await inspect(center, header), { status: 0, stdout: /application's fields: none/ })
  await post(center.app, '/logout_session', {}, credential)
  t.match(await inspect(center, header), { status: 1, stdout: /no record of this session/ })
})

t.test('a secret is new each time, and good enough for production', async (t) => {
  const [one, other] = [await runCommand(['secret'], { env: {} }), await runCommand(['secret'], { env: {} })]
  t.match(one.stdout, /^[\w-]{64}\n$/)
  t.not(one.stdout, other.stdout)
  t.match(await runCommand(['secret', 'x'], { env: {} }), { status: 2, stderr: /takes no arguments/ })
})

t.test('an API key is looked up in the database, and why it is refused is said', async (t) => {
  const center = await start(t)
  const { app, clock } = center
  const { credential } = await signIn(app, 'session')
  const make = async (expires_in: number) => {
    const body = { name: 'nightly', scopes: ['read'], expires_in }
    return (await post(app, '/api_keys', body, credential)).json().data
  }
  const [live, ended, short] = [await make(3600), await make(3600), await make(60)]
  await app.inject({ method: 'DELETE', url: `/api_keys/${ended.id}`, headers: credential })
  const good = await inspect(center, `authorization: Bearer ${live.key}`)
  t.equal(good.status, 0, good.stderr)
  t.match(good.stdout, 'kind:       API key')
  t.match(good.stdout, /"name": "nightly".*"username": "user1"/s)
  t.match(good.stdout, /verdict: {4}accepted/)
  clock.advance(60)
  const altered = `${ended.key.slice(0, -1)}${ended.key.endsWith('0') ? '1' : '0'}`
  const unknown = new KeyFormat('fik').make().key
  for (const [key, verdict, genuine] of [
    [ended.key, 'SIGNED_OUT', 'yes'],
    [short.key, 'CREDENTIAL_EXPIRED', 'yes'],
    [altered, 'CREDENTIAL_INVALID', 'no'],
    [unknown, 'CREDENTIAL_INVALID', 'no'],
  ] as const) {
    const { status, stdout } = await inspect(center, key)
    t.equal(status, 1)
    t.match(stdout, `verdict:    refused as ${verdict}`)
    t.match(stdout, `genuine:    ${genuine}`)
    t.notMatch(stdout, key.split('_')[2] ?? '', 'no secret is repeated')
  }
  t.notMatch(good.stdout, live.key.split('_')[2])
  await app.accounts.raiseEpoch(String((await app.accounts.findByUsername('user1'))?.id))
  t.match((await inspect(center, live.key)).stdout, 'refused as SIGNED_OUT')
})

t.test('where there is no database yet, inspecting a key creates none', async (t) => {
  const dataDir = makeDataDir(t)
  const env = { ...ENV, DATA_DIR: dataDir }
  const { status } = await runCommand(['inspect'], { env, stdin: input(new KeyFormat('fik').make().key) })
  t.equal(status, 1)
  t.same(readdirSync(dataDir), [])
})
