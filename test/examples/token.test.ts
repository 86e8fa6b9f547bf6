import { signedIn } from 'fastify-identity/testing'
import t, { type Test } from 'tap'
import tokenExample from '../../examples/token.js'
import { Browser, startExample } from '../helpers/browser-like.js'
import { makeDataDir, testClock } from '../helpers/user-center.js'

const USER = { username: 'user1', password: 'user123' }
const HERE = { code: 200, msg: 'Here is who you are.', data: { username: 'user1', role: 'user' } }

async function start(t: Test, env: Record<string, string> = {}, clock = testClock()) {
  const dataDir = env.DATA_DIR ?? makeDataDir(t)
  const { app, origin } = await startExample(t, tokenExample, { env: { ...env, DATA_DIR: dataDir }, clock })
  return { app, client: new Browser(origin), clock, dataDir }
}

async function logIn(t: Test, client: Browser, json: unknown = USER) {
  const answer = await client.send('POST', '/login_jwt', { json })
  t.strictSame(answer.setCookies, [], 'the client keeps the token, no cookie does')
  return { status: answer.status, body: JSON.parse(answer.text) }
}

async function userInfo(client: Browser, authorization?: string) {
  const { status, headers, text } = await client.get('/get_user_info', authorization ? { authorization } : {})
  return { status, challenge: headers.get('www-authenticate'), body: JSON.parse(text) }
}

t.test('a login answers with a token for one hour, which says who somebody is', async (t) => {
  const { client } = await start(t)
  const { status, body } = await logIn(t, client)
  t.equal(status, 200)
  const { token, ...data } = body.data
  t.strictSame(
    { ...body, data },
    {
      code: 200,
      msg: 'You are signed in.',
      data: { token_type: 'Bearer', expires_in: 3600 },
    },
  )
  t.strictSame(await userInfo(client, `Bearer ${token}`), { status: 200, challenge: null, body: HERE })
})

t.test('NOT_SIGNED_IN: a missing token', async (t) => {
  const { client } = await start(t)
  const body = { code: 403, msg: 'You are not signed in.', error: 'NOT_SIGNED_IN' }
  t.strictSame(await userInfo(client), { status: 403, challenge: 'Bearer', body })
  t.strictSame(await userInfo(client, 'Basic dXNlcjE6dXNlcjEyMw=='), {
    status: 403,
    challenge: 'Bearer',
    body,
  })
})

t.test('TOKEN_EXPIRED: a genuine token after one hour', async (t) => {
  const { app, client, clock } = await start(t)
  const { authorization } = await signedIn(app, {
    id: 'a user of this test',
    username: 'user1',
    role: 'user',
  })
  clock.advance(3599)
  t.equal((await userInfo(client, authorization)).status, 200)
  clock.advance(1)
  t.strictSame(await userInfo(client, authorization), {
    status: 403,
    challenge: 'Bearer error="invalid_token"',
    body: { code: 403, msg: 'The access token has expired.', error: 'TOKEN_EXPIRED' },
  })
})

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

t.test('TOKEN_INVALID: a token that was altered, forged, or made elsewhere', async (t) => {
  const { client, clock } = await start(t)
  const { token } = (await logIn(t, client)).body.data
  const elsewhere = (await logIn(t, (await start(t, {}, clock)).client)).body.data.token
  const [header = '', payload = '', signature = ''] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const forgeries = {
    'another role': `${header}.${encode({ ...claims, role: 'admin' })}.${signature}`,
    'a later expiry': `${header}.${encode({ ...claims, exp: claims.exp + 3600 })}.${signature}`,
    'another signature': `${header}.${payload}.${signature.split('').reverse().join('')}`,
    'no signature': `${header}.${payload}.`,
    'alg none': `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
    'of another installation': elsewhere,
    'no token at all': 'abc',
  }
  for (const [name, forged] of Object.entries(forgeries)) {
    t.strictSame(
      await userInfo(client, `Bearer ${forged}`),
      {
        status: 403,
        challenge: 'Bearer error="invalid_token"',
        body: { code: 403, msg: 'The access token is not valid.', error: 'TOKEN_INVALID' },
      },
      name,
    )
  }
  t.equal((await userInfo(client, `Bearer ${token}`)).status, 200, 'the good one is still good')
})

t.test('TOKEN_INVALID, not TOKEN_EXPIRED: an altered token that has also expired', async (t) => {
  const { client, clock } = await start(t)
  const { token } = (await logIn(t, client)).body.data
  clock.advance(3600)
  const { status, body } = await userInfo(client, `Bearer ${token.slice(0, -4)}AAAA`)
  t.strictSame([status, body.error], [403, 'TOKEN_INVALID'])
})

t.test('CREDENTIAL_AMBIGUOUS: a Bearer header without one token', async (t) => {
  const { client } = await start(t)
  const { status, body } = await userInfo(client, 'Bearer one two')
  t.strictSame([status, body.error], [400, 'CREDENTIAL_AMBIGUOUS'])
})

t.test('a wrong password and an unknown user get one answer', async (t) => {
  const { client } = await start(t)
  const refused = {
    status: 401,
    body: { code: 401, msg: 'Wrong username or password.', error: 'CREDENTIALS_REFUSED' },
  }
  t.strictSame(await logIn(t, client, { ...USER, password: 'wrong' }), refused)
  t.strictSame(await logIn(t, client, { ...USER, username: 'nobody' }), refused)
})

t.test('what is no name and password is refused, and never text made of it', async (t) => {
  const { client } = await start(t)
  const bodies = [
    {},
    { username: 'user1' },
    { username: ['user1'], password: 'user123' },
    { username: 'user1', password: 123 },
    { ...USER, role: 'admin' },
    { username: 'user1', password: '' },
    { username: 'user1', password: 'x'.repeat(1025) },
    { username: 'x'.repeat(257), password: 'user123' },
    [],
    null,
  ]
  for (const body of bodies) {
    const { status, body: answer } = await logIn(t, client, body)
    t.strictSame([status, answer.code, answer.data], [400, 400, undefined], JSON.stringify(body).slice(0, 60))
  }
  const text = await client.send('POST', '/login_jwt', {
    headers: { 'content-type': 'text/html' },
    form: USER,
  })
  t.strictSame([text.status, JSON.parse(text.text).code], [415, 415])
})

t.test('a restart keeps tokens good', async (t) => {
  const { app, client, clock, dataDir } = await start(t)
  const { token } = (await logIn(t, client)).body.data
  await app.close()
  const again = await start(t, { DATA_DIR: dataDir }, clock)
  t.strictSame((await userInfo(again.client, `Bearer ${token}`)).body, HERE)
  t.equal((await logIn(t, again.client)).status, 200, 'and accounts')
})

t.test('in production there are no accounts that everybody knows', async (t) => {
  const { client } = await start(t, { NODE_ENV: 'production' })
  t.equal((await logIn(t, client)).status, 401)
  t.equal((await logIn(t, client, { username: 'admin', password: 'admin123' })).status, 401)
})

t.test('a fault of ours is not explained to a client', async (t) => {
  const { app, client } = await start(t)
  const { token } = (await logIn(t, client)).body.data
  app.stateStore.isLive = () => Promise.reject(new Error('password of the database: hunter2'))
  const { status, body } = await userInfo(client, `Bearer ${token}`)
  t.equal(status, 500)
  t.strictSame(body, { code: 500, msg: 'Something went wrong.', error: 'INTERNAL' })
})
