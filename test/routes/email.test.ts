import t from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { onDatabases } from '../helpers/databases.js'
import { ADMIN, type Credential, MODES, post, refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { ADDRESS, codeIn, confirmAddress, FROM, SITE, startMailCenter } from '../helpers/mail-center.js'
import { startUserCenter } from '../helpers/user-center.js'

const test = onDatabases(t)

test('POST /email sends a code, and POST /email/confirm makes the address count', async (t, env) => {
  const { app, mailServer } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'session')
  const emailOf = async () => (await userInfo(app, credential)).json().data.email
  t.equal(await emailOf(), null)
  const asked = await post(app, '/email', { email: 'User1@MAIL.example' }, credential)
  t.same([asked.statusCode, asked.json().code, asked.json().data], [202, 202, undefined])
  t.equal(asked.headers['cache-control'], 'no-store')
  const mail = await mailServer.next()
  t.same([mail.to, mail.from], [['User1@mail.example'], FROM])
  t.match(mail.head, /^From: Center <center@mail\.example>$/m)
  t.match(mail.head, /^Auto-Submitted: auto-generated$/m)
  t.match(mail.id, /^<[\w-]{22}@center\.example>$/)
  t.match(mail.text, SITE)
  t.notMatch(mail.text, 'user1', 'whoever chose the name may not own the mailbox')
  t.equal(await emailOf(), null)
  const confirmed = await post(app, '/email/confirm', { code: codeIn(mail.text) }, credential)
  t.match(confirmed.json(), { code: 200, auth_type: 'session', data: { email: 'User1@mail.example' } })
  // The profile is cached for a second of real time.
  while ((await emailOf()) === null) await new Promise(setImmediate)
  t.equal(await emailOf(), 'User1@mail.example')
  t.equal((await userInfo(app, credential)).statusCode, 200, 'no sign-in ends')
  const again = await post(app, '/email/confirm', { code: codeIn(mail.text) }, credential)
  refusedByCenter(t, again, 401, 'CODE_REFUSED', 'once')
})

test('a code that is malformed, wrong, late or another account’s is refused', async (t, env) => {
  const { app, mailServer, clock } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'session')
  const other = (await signIn(app, 'cookie', ADMIN)).credential
  await post(app, '/email', { email: ADDRESS }, credential)
  const code = codeIn((await mailServer.next()).text)
  const fullWidth = [...code].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join('')
  const malformed = ['', code.slice(1), `${code}0`, ` ${code}`, fullWidth, `${code}\n`, Number(code), null]
  for (const wrong of malformed)
    refusedByCenter(t, await post(app, '/email/confirm', { code: wrong }, credential), 400, 'BODY_INVALID')
  refusedByCenter(t, await post(app, '/email/confirm', { code }, other), 401, 'CODE_REFUSED')
  refusedByCenter(t, await post(app, '/email/confirm', { code }), 403, 'NOT_SIGNED_IN')
  clock.advance(10 * 60)
  refusedByCenter(t, await post(app, '/email/confirm', { code }, credential), 401, 'CODE_REFUSED', 'late')
  t.equal(
    (await app.accounts.find(String((await app.accounts.findByUsername('user1'))?.id)))?.email,
    undefined,
  )
})

test('an address is asked for by somebody who signed in recently, by any mode for people', async (t, env) => {
  const { app, clock, mailServer } = await startMailCenter(t, env)
  refusedByCenter(t, await post(app, '/email', { email: ADDRESS }), 403, 'NOT_SIGNED_IN')
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    t.equal((await post(app, '/email', { email: ADDRESS }, credential)).statusCode, 202, mode)
    await mailServer.next()
    clock.advance(601)
    refusedByCenter(
      t,
      await post(app, '/email', { email: ADDRESS }, credential),
      403,
      'SIGN_IN_TOO_OLD',
      mode,
    )
  }
  const crossSite = { ...(await signIn(app, 'cookie')).credential, 'sec-fetch-site': 'cross-site' }
  refusedByCenter(t, await post(app, '/email', { email: ADDRESS }, crossSite), 403, 'CROSS_SITE')
})

test('what is no address is refused, and no mail is sent', async (t, env) => {
  const { app, mailServer } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'cookie')
  const bad = [
    'a',
    'a@b.example\r\nBcc: c@d.example',
    'a@b.example, c@d.example',
    'а@b.example',
    'a@[127.0.0.1]',
  ]
  for (const email of bad)
    refusedByCenter(t, await post(app, '/email', { email }, credential), 400, 'EMAIL_INVALID')
  for (const body of [
    {},
    { email: '' },
    { email: 'a'.repeat(257) },
    { email: ['a@b.example'] },
    { email: 'a@b.example', x: 1 },
  ])
    refusedByCenter(t, await post(app, '/email', body, credential), 400, 'BODY_INVALID')
  await app.accountMail.flush()
  t.same(mailServer.mails, [])
})

test('an account asks for five codes in an hour, then it is 429 with Retry-After', async (t, env) => {
  const { app, mailServer, clock } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'cookie')
  for (let count = 0; count < 5; count++) {
    t.equal((await post(app, '/email', { email: `a${count}@mail.example` }, credential)).statusCode, 202)
    await mailServer.next()
  }
  const answer = await post(app, '/email', { email: ADDRESS }, credential)
  refusedByCenter(t, answer, 429, 'THROTTLED')
  t.equal(answer.headers['retry-after'], '3600')
  clock.advance(3601)
  const fresh = (await signIn(app, 'cookie')).credential
  t.equal((await post(app, '/email', { email: ADDRESS }, fresh)).statusCode, 202)
})

test('nobody mails ten thousand addresses: an account asks for five codes, and a client for a hundred', async (t, env) => {
  const { app, mailServer } = await startMailCenter(t, env)
  const people: Credential[] = []
  for (let person = 0; person < 22; person++) {
    const who = { username: `person ${person}`, password: 'three quiet ravens' }
    await app.accounts.create({ ...who, role: 'user' })
    people.push((await signIn(app, 'token', who)).credential)
  }
  const statuses: number[] = []
  for (const [person, credential] of people.entries()) {
    for (let count = 0; count < 5; count++) {
      const email = `victim${person * 5 + count}@mail.example`
      statuses.push((await post(app, '/email', { email }, credential)).statusCode)
    }
  }
  t.same(statuses, [...Array(100).fill(202), ...Array(10).fill(429)])
  await app.accountMail.flush()
  t.ok(mailServer.mails.length <= 100)
})

test('somebody else’s address, and one that only looks like it, count for nobody without their code', async (t, env) => {
  const center = await startMailCenter(t, env)
  const { app, mailServer } = center
  await confirmAddress(center)
  const thief = (await signIn(app, 'cookie', ADMIN)).credential
  t.equal((await post(app, '/email', { email: ADDRESS }, thief)).statusCode, 202)
  t.same((await mailServer.next()).to, [ADDRESS], 'the code goes to its owner')
  refusedByCenter(t, await post(app, '/email/confirm', { code: '00000000' }, thief), 401, 'CODE_REFUSED')
  const lookalike = ADDRESS.replace('mail', 'mа\u0456l')
  t.equal((await post(app, '/email', { email: lookalike }, thief)).statusCode, 202)
  const { to, text } = await mailServer.next()
  t.strictNotSame(to, [ADDRESS], 'this one goes to the look-alike')
  t.equal((await post(app, '/email/confirm', { code: codeIn(text) }, thief)).statusCode, 200)
  t.match((await app.accounts.find(String((await app.accounts.findByUsername('admin'))?.id)))?.email, /@xn--/)
  await post(app, '/password/forgot', { email: ADDRESS })
  await app.accountMail.flush()
  t.same(mailServer.mails.at(-1)?.to, [ADDRESS], 'each address finds its own account')
  t.notMatch(mailServer.mails.at(-1)?.text, 'admin')
})

test('the address before gets a notice, and several accounts may share one', async (t, env) => {
  const center = await startMailCenter(t, env)
  const { app, mailServer } = center
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  await confirmAddress(center)
  await confirmAddress(center, ADDRESS, ADMIN)
  await confirmAddress(center, 'new@mail.example')
  const notice = await mailServer.next()
  t.same(notice.to, [ADDRESS])
  t.match(notice.text, /address was changed[\s\S]*user1[\s\S]*127\.0\.0\.1/)
  t.notMatch(notice.text, 'new@mail.example')
  const changes = events.filter(({ type }) => type === 'account_changed')
  t.match(changes, Array(3).fill({ changed: 'email', to: null, by: 'owner' }))
  t.notMatch(JSON.stringify(events), 'mail.example', 'no address is in the audit')
  await confirmAddress(center, 'new@mail.example')
  await app.accountMail.flush()
  t.equal(mailServer.mails.length, 5, 'no notice of nothing')
})

test('a mail is in the language of its request', async (t, env) => {
  const { app, mailServer } = await startMailCenter(t, env)
  const { credential } = await signIn(app, 'cookie')
  await post(app, '/email', { email: ADDRESS }, { ...credential, 'accept-language': 'zh-CN' })
  t.match((await mailServer.next()).text, '验证码')
})

test('without a mail server: in development mails go to the log, in production there are none', async (t, env) => {
  const { app } = await startUserCenter(t, env)
  t.equal((await app.inject('/settings')).json().data.mail, true)
  const production = {
    NODE_ENV: 'production',
    SINGLE_INSTANCE: 'true',
    AUTH_SECRETS: '5f1e8a40c9d2b7736e0f4a9b8c1d2e3f5a6b7c8d',
  }
  const silent = (await startUserCenter(t, { ...production, PUBLIC_URL: SITE })).app
  t.equal((await silent.inject('/settings')).json().data.mail, false)
  for (const url of ['/email', '/email/confirm', '/password/forgot', '/password/reset'])
    refusedByCenter(t, await post(silent, url, {}), 404, 'NOT_FOUND')
})
