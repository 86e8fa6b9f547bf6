import { test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { type Lies, SoftAuthenticator } from '../helpers/authenticator.js'
import { deviceOf, MODES, type Mode, post, signIn, USER } from '../helpers/http.js'
import { ADDRESS, confirmAddress, SITE, startMailCenter } from '../helpers/mail-center.js'

test('a sign-in from an unknown device and address is told to the owner', async (t) => {
  const center = await startMailCenter(t)
  const { app, mailServer } = center
  await confirmAddress(center)
  const login = (mode: string, remoteAddress: string, headers = {}, body: object = USER) =>
    app.inject({ method: 'POST', url: `/login_${mode}`, payload: body, headers, remoteAddress })
  const mailed = async () => {
    await app.accountMail.flush()
    return mailServer.mails.length - 1
  }
  for (const mode of MODES) await login(mode, '127.0.0.1')
  t.equal(await mailed(), 0, 'a known address')
  const first = await login('session', '192.0.2.7')
  const notice = await mailServer.next()
  t.same(notice.to, [ADDRESS])
  t.match(notice.text, /new device[\s\S]*user1[\s\S]*192\.0\.2\.7/)
  await login('token', '192.0.2.7')
  t.equal(await mailed(), 1, 'the address is known now')
  await login('cookie', '192.0.2.8', { cookie: deviceOf(first) })
  t.equal(await mailed(), 1, 'the device moved to another network')
  const wrong = await login('cookie', '192.0.2.9', {}, { ...USER, password: 'wrong' })
  t.equal(wrong.statusCode, 401)
  t.equal(await mailed(), 1, 'a refused sign-in is no new device')
})

test('a sign-in by passkey alone from an unknown device and address is told, too', async (t) => {
  const center = await startMailCenter(t)
  const { app, mailServer } = center
  await confirmAddress(center)
  const { credential } = await signIn(app, 'cookie')
  const key = new SoftAuthenticator(SITE)
  const begun = await post(app, '/passkeys/options', {}, credential)
  const response = key.create(begun.json().data)
  t.equal((await post(app, '/passkeys', { response, name: 'Laptop' }, credential)).statusCode, 201)
  t.match((await mailServer.next()).text, 'factor was added')
  const login = async (mode: Mode, remoteAddress: string, device = '', lies: Lies = {}) => {
    const from = { method: 'POST', remoteAddress } as const
    const options = await app.inject({ ...from, url: '/login_passkey/options', payload: {} })
    const half = options.cookies.find(({ name }) => /^(__Host-)?pending$/.test(name))
    const headers = { cookie: `${half?.name}=${half?.value}; ${device}` }
    const { pending, options: asked } = options.json().data
    const payload = { pending, response: key.get(asked, lies), mode }
    return app.inject({ ...from, url: '/login_passkey', payload, headers })
  }
  const mailed = async () => {
    await app.accountMail.flush()
    return mailServer.mails.length - 2
  }
  for (const mode of MODES) t.equal((await login(mode, '127.0.0.1')).statusCode, 200)
  t.equal(await mailed(), 0, 'a known address')
  for (const [index, mode] of MODES.entries()) {
    const address = `192.0.2.${index + 1}`
    const first = await login(mode, address)
    t.equal(first.statusCode, 200)
    const notice = await mailServer.next()
    t.same(notice.to, [ADDRESS])
    t.match(notice.text, /new device[\s\S]*user1/)
    t.match(notice.text, address)
    // Only modes of ambient authority set the cookie of a device.
    const [next, device] = mode === 'token' ? [address, ''] : [`192.0.2.${index + 11}`, deviceOf(first)]
    await login(mode, next, device)
    t.equal(await mailed(), index + 1, 'the device or the address is known now')
  }
  const refused = await login('cookie', '192.0.2.99', '', { isVerified: false })
  t.equal(refused.statusCode, 401)
  t.equal(await mailed(), MODES.length, 'a refused sign-in is no new device')
})

test('the first sign-in of an account, and one without an address, are told to nobody', async (t) => {
  const { app, mailServer } = await startMailCenter(t)
  for (const remoteAddress of ['192.0.2.1', '192.0.2.2'])
    await app.inject({ method: 'POST', url: '/login_token', payload: USER, remoteAddress })
  await app.accountMail.flush()
  t.same(mailServer.mails, [])
  t.equal((await post(app, '/login_token', USER)).statusCode, 200)
})

test('a login does not fail if its notice cannot be stored', async (t) => {
  const center = await startMailCenter(t)
  const { app, dataDir } = center
  await confirmAddress(center)
  const database = await openDatabase(databaseFile(dataDir))
  t.teardown(database.close)
  database.connection.exec('DROP TABLE outbox')
  const remoteAddress = '192.0.2.7'
  const answer = await app.inject({ method: 'POST', url: '/login_token', payload: USER, remoteAddress })
  t.equal(answer.statusCode, 200)
})
