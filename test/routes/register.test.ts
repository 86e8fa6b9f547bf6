import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { accountRoutes } from '../../routes/accounts.js'
import { registrationRoutes } from '../../routes/register.js'
import { type Credential, listen, MODES, post, refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { buildSuite, tokenMode } from '../helpers/suite.js'
import { startUserCenter } from '../helpers/user-center.js'

const ZOE = { username: 'Zoë', password: 'a long enough one' }

function register(app: FastifyInstance, body: object = ZOE, headers: Credential = {}) {
  return post(app, '/register', body, headers)
}

test('a registration makes an account with the role user, and signs nobody in', async (t) => {
  const { app } = await startUserCenter(t)
  const answer = await register(app)
  t.equal(answer.statusCode, 201)
  t.same(answer.json(), {
    code: 201,
    msg: 'Your account is created. You can sign in.',
    data: { username: 'Zoë', role: 'user' },
  })
  t.equal(answer.headers['set-cookie'], undefined)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.notMatch(answer.body, /argon2|token/)
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode, { ...ZOE, username: 'zoë' })
    t.match((await userInfo(app, credential)).json(), {
      auth_type: mode,
      data: { username: 'Zoë', role: 'user' },
    })
  }
})

test('what was asked for in any other form is refused, and makes nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const before = await app.accounts.count()
  const bodies: object[] = [
    {},
    { username: 'zoe' },
    { password: ZOE.password },
    { ...ZOE, role: 'admin' },
    { ...ZOE, role: 'user' },
    { ...ZOE, disabled: false },
    { ...ZOE, id: 'x', epoch: 7 },
    { ...ZOE, username: ['zoe'] },
    { ...ZOE, username: { $ne: null } },
    { ...ZOE, password: { $gt: '' } },
    { ...ZOE, password: 12345678901 },
    { ...ZOE, username: '' },
    { ...ZOE, username: 'x'.repeat(257) },
    { ...ZOE, password: 'x'.repeat(4097) },
    { ...ZOE, password: 'lone \ud800 surrogate' },
    [ZOE],
  ]
  for (const body of bodies)
    refusedByCenter(t, await register(app, body), 400, 'BODY_INVALID', JSON.stringify(body).slice(0, 60))
  for (const username of ['x'.repeat(65), ' zoe', 'zoe ', 'zo\0e', 'zo\u200be', 'zo\ne', '..', 'zo\ud800'])
    refusedByCenter(
      t,
      await register(app, { ...ZOE, username }),
      400,
      'USERNAME_INVALID',
      JSON.stringify(username),
    )
  const poisoned = `{"username":"zoe","password":"${ZOE.password}","__proto__":{"role":"admin"}}`
  const headers = { 'content-type': 'application/json' }
  for (const payload of [
    poisoned,
    poisoned.replace('__proto__', 'constructor'),
    '{"username":',
    'null',
    '',
  ]) {
    const answer = await app.inject({ method: 'POST', url: '/register', headers, payload })
    refusedByCenter(t, answer, 400, 'BODY_INVALID', payload.slice(0, 60))
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await app.inject({
    method: 'POST',
    url: '/register',
    headers: form,
    payload: 'username=zoe',
  })
  refusedByCenter(t, answer, 415, 'CONTENT_TYPE_UNSUPPORTED')
  t.equal(await app.accounts.count(), before)
})

test('a name that looks like an attack is a name like any other', async (t) => {
  const { app } = await startUserCenter(t)
  const names = ["' OR 1=1 --", '__proto__', 'constructor', "'; DROP TABLE accounts;", '%', '{"$ne":null}']
  for (const username of names) {
    t.equal((await register(app, { ...ZOE, username })).statusCode, 201, username)
    const { credential } = await signIn(app, 'token', { ...ZOE, username })
    t.match((await userInfo(app, credential)).json(), { data: { username, role: 'user' } })
  }
  t.equal(await app.accounts.count(), 2 + names.length)
})

test('a password that may not be chosen is refused with the reason, and makes nothing', async (t) => {
  const { app } = await startUserCenter(t, { PASSWORD_WORDS: 'Acme, blue whale' })
  const cases = [
    ['1234567', 'too_short'],
    ['🔑🔑🔑🔑🔑🔑🔑', 'too_short'],
    ['x'.repeat(1025), 'too_long'],
    ['漢'.repeat(342), 'too_long'],
    ['password1', 'common'],
    ['QWERTYUIOP', 'common'],
    ['we at ACME', 'common'],
    ['a Blue Whale', 'common'],
    ['zOË-zOË-zOË', 'like_username'],
  ] as const
  for (const [password, reason] of cases) {
    const answer = await register(app, { ...ZOE, password })
    refusedByCenter(t, answer, 422, 'PASSWORD_REFUSED', password.slice(0, 20))
    t.equal(answer.json().reason, reason)
  }
  t.equal(await app.accounts.findByUsername('zoë'), null)
  const longest = { username: 'longest', password: '🔑'.repeat(256) }
  t.equal((await register(app, longest)).statusCode, 201)
  await signIn(app, 'cookie', longest)
})

test('of two who ask for one name at once one gets it, and a taken one tells nothing more', async (t) => {
  const { app } = await startUserCenter(t)
  const spellings = ['Zoë', 'ZOË', 'zoe\u0308']
  const answers = await Promise.all(
    spellings.map((username, index) => register(app, { username, password: `a long enough one ${index}` })),
  )
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, 409, 409])
  for (const answer of answers) {
    if (answer.statusCode === 409) refusedByCenter(t, answer, 409, 'USERNAME_TAKEN')
  }
  const winner = answers.findIndex(({ statusCode }) => statusCode === 201)
  for (const index of spellings.keys()) {
    const who = { username: 'zoë', password: `a long enough one ${index}` }
    t.equal((await post(app, '/login_token', who)).statusCode, index === winner ? 200 : 401)
  }
  const admin = await app.accounts.findByUsername('admin')
  const { msg } = answers.find(({ statusCode }) => statusCode === 409)?.json() ?? {}
  const taken = await register(app, { ...ZOE, username: 'ADMIN' })
  refusedByCenter(t, taken, 409, 'USERNAME_TAKEN')
  t.equal(taken.json().msg, msg, 'whoever has it')
  t.same(await app.accounts.findByUsername('admin'), admin)
})

test('another site cannot register anybody', async (t) => {
  const { app } = await startUserCenter(t)
  const foreign: Credential[] = [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]
  for (const headers of foreign) {
    refusedByCenter(t, await register(app, ZOE, headers), 403, 'CROSS_SITE')
    refusedByCenter(
      t,
      await register(app, { ...ZOE, role: 'admin' }, headers),
      400,
      'BODY_INVALID',
      'the body comes first',
    )
  }
  t.equal(await app.accounts.findByUsername('zoë'), null)
})

test('where registration is closed nobody registers: by default in production', async (t) => {
  const AUTH_SECRETS = 'Zk3v9QmXr7LwT2bNc8YhFp5sJd6GaV4e'
  const production = { NODE_ENV: 'production', SINGLE_INSTANCE: 'true', AUTH_SECRETS }
  for (const env of [{ REGISTRATION: 'closed' }, production]) {
    const { app } = await startUserCenter(t, env)
    const before = await app.accounts.count()
    for (const body of [ZOE, { ...ZOE, password: 'short' }, { ...ZOE, username: 'admin' }])
      refusedByCenter(t, await register(app, body), 403, 'REGISTRATION_CLOSED')
    const foreign = { origin: 'https://evil.example' }
    refusedByCenter(t, await register(app, ZOE, foreign), 403, 'CROSS_SITE')
    t.equal(await app.accounts.count(), before)
  }
  const { app } = await startUserCenter(t, { ...production, REGISTRATION: 'open' })
  t.equal((await register(app)).statusCode, 201)
})

/** Says that so much will come, sends the beginning, and waits for the answer. */
function announce(port: number, framing: string, start: string): Promise<{ answer: string; sent: number }> {
  return new Promise((resolve, reject) => {
    let answer = ''
    let sent = 0
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        `POST /register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`,
      )
      const pump = () => {
        while (!socket.destroyed && answer === '' && sent < 100e6) {
          sent += start.length
          if (!socket.write(start)) return socket.once('drain', pump)
        }
      }
      pump()
    })
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      answer += chunk
      socket.destroy()
    })
    socket.on('error', (error) => (answer === '' ? reject(error) : undefined))
    socket.on('close', () => resolve({ answer, sent }))
  })
}

test('a body of 100 MB is refused without being read', async (t) => {
  const { app } = await startUserCenter(t)
  const port = await listen(app)
  const piece = 'x'.repeat(65_536)
  const known = await announce(port, `Content-Length: ${100e6}`, piece)
  const chunked = await announce(port, 'Transfer-Encoding: chunked', `10000\r\n${piece}\r\n`)
  for (const { answer, sent } of [known, chunked]) {
    t.match(answer, /^HTTP\/1\.1 413 /)
    t.match(answer, '"error":"BODY_TOO_LARGE"')
    t.ok(sent < 20e6, `${sent} bytes were sent before the answer`)
  }
  t.equal((await app.inject('/healthz')).statusCode, 200)
})

test('an account that is made anew under the same name inherits nothing', async (t) => {
  const { app, dataDir } = await startUserCenter(t)
  await register(app)
  const before = await app.accounts.findByUsername('zoë')
  const held = []
  for (const mode of MODES) held.push(await signIn(app, mode, ZOE))
  const { kysely, close } = await openDatabase(databaseFile(dataDir))
  await kysely.deleteFrom('accounts').where('canonical', '=', 'zoë').execute()
  await close()
  const again = { ...ZOE, password: 'another long one' }
  t.equal((await register(app, again)).statusCode, 201)
  const after = await app.accounts.findByUsername('zoë')
  t.not(after?.id, before?.id)
  refusedByCenter(t, await post(app, '/login_token', ZOE), 401, 'CREDENTIALS_REFUSED')
  for (const { credential } of held) {
    refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT', 'the old credential is nobody’s')
    const change = { current_password: again.password, new_password: 'taken over by the old' }
    refusedByCenter(t, await post(app, '/password', change, credential), 401, 'CREDENTIALS_REFUSED')
  }
  const { credential } = await signIn(app, 'cookie', again)
  const list = (await app.inject({ url: '/sign_ins', headers: credential })).json().data
  t.equal(list.length, 1, 'and the new one has one sign-in')
})

test('a database that is away is 503, and claims nothing', async (t) => {
  const { app, dataDir } = await startUserCenter(t)
  const { connection, close } = await openDatabase(databaseFile(dataDir))
  t.teardown(close)
  connection.exec('ALTER TABLE accounts RENAME TO elsewhere')
  const answer = await register(app)
  refusedByCenter(t, answer, 503, 'STORE_UNAVAILABLE')
  t.match(answer.headers['retry-after'], /^\d+$/)
})

test('where the application brought its own accounts there is no such route', async (t) => {
  const { app } = await buildSuite(t, {
    modes: [tokenMode()],
    async routes(app) {
      await app.register(registrationRoutes, { registrationOpen: true })
      await app.register(accountRoutes)
    },
  })
  t.equal((await register(app)).statusCode, 404)
  t.equal((await app.inject('/accounts')).statusCode, 404)
})
