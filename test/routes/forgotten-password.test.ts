import t, { type Test } from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { type DatabaseEnv, onDatabases } from '../helpers/databases.js'
import {
  ADMIN,
  MODES,
  post,
  refusedByCenter,
  type SignedIn,
  signIn,
  USER,
  userInfo,
} from '../helpers/http.js'
import { ADDRESS, confirmAddress, SITE, startMailCenter, tokenIn } from '../helpers/mail-center.js'

const test = onDatabases(t)

const NEXT = 'three quiet ravens'

async function start(t: Test, env: DatabaseEnv) {
  const center = await startMailCenter(t, env)
  const { app, mailServer } = center
  await confirmAddress(center)
  const forgot = (body: object, headers = {}) => post(app, '/password/forgot', body, headers)
  const tokenFor = async (body: object = { username: 'user1' }) => {
    await forgot(body)
    return tokenIn((await mailServer.next()).text)
  }
  const reset = (token: string, new_password = NEXT, headers = {}) =>
    post(app, '/password/reset', { token, new_password }, headers)
  return { ...center, forgot, tokenFor, reset }
}

test('POST /password/forgot mails a link, and POST /password/reset sets the password once', async (t, env) => {
  const { app, mailServer, forgot, reset } = await start(t, env)
  const own: SignedIn[] = []
  for (const mode of MODES) own.push(await signIn(app, mode))
  const bystander = await signIn(app, 'cookie', ADMIN)
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  const asked = await forgot({ username: 'USER1' }, { host: 'evil.example' })
  t.same([asked.statusCode, asked.headers['set-cookie']], [202, undefined])
  const mail = await mailServer.next()
  t.same(mail.to, [ADDRESS])
  t.match(mail.text, `${SITE}/forgotten#reset=`)
  t.notMatch(mail.text, 'evil.example')
  const token = tokenIn(mail.text)
  const answer = await reset(token)
  t.match(answer.json(), { code: 200, msg: /password is changed/ })
  t.same([answer.headers['set-cookie'], answer.json().data], [undefined, undefined], 'nobody is signed in')
  for (const { credential, refreshToken } of own) {
    refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
    if (refreshToken)
      refusedByCenter(
        t,
        await post(app, '/refresh_token', { refresh_token: refreshToken }),
        401,
        'REFRESH_REFUSED',
      )
  }
  t.equal((await userInfo(app, bystander.credential)).statusCode, 200)
  refusedByCenter(t, await post(app, '/login_token', USER), 401, 'CREDENTIALS_REFUSED')
  t.equal((await post(app, '/login_token', { ...USER, password: NEXT })).statusCode, 200)
  refusedByCenter(t, await reset(token, 'another good one'), 401, 'RESET_REFUSED', 'reused')
  const notice = await mailServer.next()
  t.same(notice.to, [ADDRESS])
  t.match(notice.text, 'password was changed')
  t.match(
    events.find(({ type }) => type === 'account_changed'),
    { changed: 'password', by: 'recovery', actorId: null },
  )
  t.notMatch(JSON.stringify(events), token)
})

test('the answer is the same for known, unknown, address-less and disabled accounts', async (t, env) => {
  const { app, forgot, mailServer } = await start(t, env)
  const before = mailServer.mails.length
  const bodies = [
    ...[{ username: 'user1' }, { username: 'nobody' }, { username: 'admin' }, { username: ADDRESS }],
    ...[
      { email: ADDRESS },
      { email: 'nobody@mail.example' },
      { email: 'no address' },
      { email: 'a@b.example\r\nBcc: c@d.e' },
    ],
  ]
  const answers = []
  for (const body of bodies) {
    const answer = await forgot(body)
    answers.push(JSON.stringify([answer.statusCode, answer.body, { ...answer.headers, date: '' }]))
  }
  t.equal(new Set(answers).size, 1)
  await app.accountMail.flush()
  t.same(
    mailServer.mails.slice(before).map(({ to }) => to),
    [[ADDRESS], [ADDRESS]],
  )
})

test('a username that is somebody’s address gets neither their mails nor their account', async (t, env) => {
  const { app, forgot, mailServer } = await start(t, env)
  await app.accounts.create({ username: ADDRESS, password: 'the thief’s own', role: 'user' })
  const { length } = mailServer.mails
  await forgot({ username: ADDRESS })
  await app.accountMail.flush()
  t.equal(mailServer.mails.length, length, 'the account of that name has no address')
  await forgot({ email: ADDRESS })
  await app.accountMail.flush()
  const mails = mailServer.mails.slice(length)
  t.same(
    mails.map(({ to }) => to),
    [[ADDRESS]],
  )
  t.match(mails[0]?.text, /^user1$/m)
  t.equal(mails[0]?.text.match(/#reset=/g)?.length, 1, 'of the account with that address alone')
})

test('a body with both, neither or more is refused', async (t, env) => {
  const { forgot, reset } = await start(t, env)
  for (const body of [
    {},
    { username: 'a', email: ADDRESS },
    { username: '' },
    { username: 'a', x: 1 },
    { email: 7 },
  ])
    refusedByCenter(t, await forgot(body), 400, 'BODY_INVALID')
  refusedByCenter(
    t,
    await forgot({ username: 'user1' }, { 'sec-fetch-site': 'cross-site' }),
    403,
    'CROSS_SITE',
  )
  refusedByCenter(t, await reset('x', NEXT, { 'sec-fetch-site': 'cross-site' }), 403, 'CROSS_SITE')
  refusedByCenter(t, await reset(''), 400, 'BODY_INVALID')
})

test('a token that is truncated, altered, late, or older than a password change is refused', async (t, env) => {
  const { app, tokenFor, reset, clock } = await start(t, env)
  const token = await tokenFor()
  for (const wrong of [token.slice(1), `${token}A`, token.toUpperCase(), `${token}\0`, 'A'.repeat(22)])
    refusedByCenter(t, await reset(wrong), 401, 'RESET_REFUSED')
  const { credential } = await signIn(app, 'cookie')
  clock.advance(1)
  const change = { current_password: USER.password, new_password: 'my own new password' }
  t.equal((await post(app, '/password', change, credential)).statusCode, 200)
  refusedByCenter(t, await reset(token), 401, 'RESET_REFUSED', 'after a password change')
  clock.advance(1)
  t.equal((await post(app, '/login_token', { ...USER, password: 'my own new password' })).statusCode, 200)
})

test('a token expires after 15 minutes, and is void for a disabled account', async (t, env) => {
  const { app, tokenFor, reset, clock } = await start(t, env)
  const late = await tokenFor()
  clock.advance(15 * 60)
  refusedByCenter(t, await reset(late), 401, 'RESET_REFUSED', 'late')
  const token = await tokenFor({ email: ADDRESS })
  await app.accounts.setDisabled(String((await app.accounts.findByUsername('user1'))?.id), true)
  refusedByCenter(t, await reset(token), 401, 'RESET_REFUSED', 'disabled')
})

test('a refused password does not spend the token', async (t, env) => {
  const { tokenFor, reset } = await start(t, env)
  const token = await tokenFor()
  const answer = await reset(token, 'user1')
  refusedByCenter(t, answer, 422, 'PASSWORD_REFUSED')
  t.equal((await reset(token)).statusCode, 200)
})

test('of ten resets at once by one token one wins', async (t, env) => {
  const { app, tokenFor, reset } = await start(t, env)
  const token = await tokenFor()
  const passwords = Array.from({ length: 10 }, (_, index) => `three quiet ravens ${index}`)
  const answers = await Promise.all(passwords.map((password) => reset(token, password)))
  const granted = answers.flatMap(({ statusCode }, index) => (statusCode === 200 ? [passwords[index]] : []))
  t.equal(granted.length, 1)
  for (const answer of answers) t.match(answer.json().code, /^(200|401)$/)
  t.equal((await post(app, '/login_token', { ...USER, password: granted[0] })).statusCode, 200)
})

test('requests count for the address of the client, and a mailbox gets five mails in an hour', async (t, env) => {
  const center = await start(t, env)
  const { app, forgot, mailServer, reset } = center
  const before = mailServer.mails.length
  // The code of the address was one of the five.
  for (let count = 0; count < 8; count++) t.equal((await forgot({ username: 'user1' })).statusCode, 202)
  await app.accountMail.flush()
  t.equal(mailServer.mails.length - before, 4)
  const statuses: number[] = []
  for (let count = 0; count < 100; count++)
    statuses.push((await forgot({ username: `user ${count}` })).statusCode)
  t.ok(statuses.includes(202) && statuses.at(-1) === 429)
  refusedByCenter(t, await reset('A'.repeat(22)), 429, 'THROTTLED')
})
