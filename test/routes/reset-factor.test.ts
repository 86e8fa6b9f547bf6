import t from 'tap'
import { onDatabases } from '../helpers/databases.js'
import { beginLogin, signInByFactor, startFactorCenter } from '../helpers/factor-center.js'
import { post, refusedByCenter, USER } from '../helpers/http.js'
import { tokenIn } from '../helpers/mail-center.js'

const test = onDatabases(t)

const NEXT = 'three quiet ravens'

async function start(...[t, env]: Parameters<typeof startFactorCenter>) {
  const center = await startFactorCenter(t, env)
  const { app, clock, mailServer } = center
  const newToken = async () => {
    await app.accountMail.flush()
    const { length } = mailServer.mails
    clock.advance(1)
    await post(app, '/password/forgot', { username: 'user1' })
    await app.accountMail.flush()
    return tokenIn(mailServer.mails[length]?.text ?? '')
  }
  const reset = (token: string, more: object = {}) =>
    post(app, '/password/reset', { token, new_password: NEXT, ...more })
  return { ...center, newToken, reset }
}

test('POST /password/reset asks for the factor, which spends no token', async (t, env) => {
  const { app, totp, newToken, reset } = await start(t, env)
  const token = await newToken()
  const asked = await reset(token)
  t.match(asked.json(), { code: 401, error: 'SECOND_FACTOR_REQUIRED' })
  t.same(asked.json().data, { factors: ['totp', 'recovery_code'] })
  refusedByCenter(t, await reset(token, { factor: 'totp', code: '000000' }), 401, 'FACTOR_REFUSED')
  refusedByCenter(
    t,
    await reset(token, { factor: 'recovery_code', code: totp.next() }),
    401,
    'FACTOR_REFUSED',
  )
  for (const body of [{ factor: 'totp' }, { code: '123456' }, { factor: 'x', code: 'y' }])
    refusedByCenter(t, await reset(token, body), 400, 'BODY_INVALID')
  t.equal((await beginLogin(app, 'token', USER)).factors.length, 2, 'the old password still works')
  t.equal((await reset(token, { factor: 'totp', code: totp.next() })).statusCode, 200)
  refusedByCenter(t, await reset(token, { factor: 'totp', code: totp.next() }), 401, 'RESET_REFUSED', 'once')
  refusedByCenter(t, await post(app, '/login_token', USER), 401, 'CREDENTIALS_REFUSED')
  const who = { ...USER, password: NEXT }
  await signInByFactor(app, 'cookie', { factor: 'totp', code: totp.next() }, who)
})

test('a recovery code resets too, and is spent', async (t, env) => {
  const { totp, newToken, reset } = await start(t, env)
  const code = totp.recoveryCodes[3]
  t.equal((await reset(await newToken(), { factor: 'recovery_code', code })).statusCode, 200)
  refusedByCenter(t, await reset(await newToken(), { factor: 'recovery_code', code }), 401, 'FACTOR_REFUSED')
})

test('a refused password spends neither the token nor the code', async (t, env) => {
  const { totp, newToken, reset } = await start(t, env)
  const token = await newToken()
  const code = totp.next()
  const weak = await reset(token, { factor: 'totp', code, new_password: 'user1' })
  refusedByCenter(t, weak, 422, 'PASSWORD_REFUSED')
  t.equal((await reset(token, { factor: 'totp', code })).statusCode, 200)
})

test('wrong codes of resets and logins count together, and to ask for the factor counts for nobody', async (t, env) => {
  const { app, newToken, reset } = await start(t, env)
  const token = await newToken()
  for (let count = 0; count < 150; count++)
    t.equal((await reset(token)).json().error, 'SECOND_FACTOR_REQUIRED')
  for (let count = 0; count < 5; count++)
    refusedByCenter(t, await reset(token, { factor: 'totp', code: '000000' }), 401, 'FACTOR_REFUSED')
  const statuses: number[] = []
  for (let count = 0; count < 6; count++) {
    const { pending } = await beginLogin(app, 'token')
    statuses.push((await post(app, '/login_factor', { pending, factor: 'totp', code: '000000' })).statusCode)
  }
  t.same(statuses, [401, 401, 401, 401, 401, 429])
  refusedByCenter(t, await reset(token, { factor: 'totp', code: '000000' }), 429, 'THROTTLED')
})
