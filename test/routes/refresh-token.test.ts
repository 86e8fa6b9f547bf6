import { test } from 'tap'
import { post, refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

test('POST /refresh_token answers a new pair of the same shape', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const { response, refreshToken } = await signIn(app, 'token')
  clock.advance(1000)
  const refreshed = await post(app, '/refresh_token', { refresh_token: refreshToken })
  const { code, auth_type, data } = refreshed.json()
  t.match({ code, auth_type }, { code: 200, auth_type: 'token' })
  t.same(Object.keys(data), Object.keys(response.json().data))
  t.equal(data.expires_in, 900)
  t.equal(data.refresh_expires_in, 604_800 - 1000, 'counts to the absolute end')
  t.not(data.refresh_token, refreshToken)
  t.equal((await userInfo(app, { authorization: `Bearer ${data.token}` })).json().auth_type, 'token')
  t.equal(refreshed.headers['set-cookie'], undefined)
})

test('what is no genuine refresh token is 401 REFRESH_REFUSED, and burns nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential, refreshToken } = await signIn(app, 'token')
  const cookie = await signIn(app, 'cookie')
  const access = String(credential.authorization).slice('Bearer '.length)
  const forged = [
    'junk',
    access,
    String(cookie.credential.cookie).slice('identity='.length),
    refreshToken.slice(0, -1),
    `${refreshToken.slice(0, -2)}AA`,
    `${refreshToken}A`,
    ` ${refreshToken}`,
  ]
  for (const refresh_token of forged) {
    refusedByCenter(t, await post(app, '/refresh_token', { refresh_token }), 401, 'REFRESH_REFUSED')
  }
  refusedByCenter(t, await userInfo(app, { authorization: `Bearer ${refreshToken}` }), 403, 'TOKEN_INVALID')
  t.equal(
    (await post(app, '/refresh_token', { refresh_token: refreshToken })).statusCode,
    200,
    'the good one is good',
  )
})

test('a refresh with a bad body is 400', async (t) => {
  const { app } = await startUserCenter(t)
  for (const body of [
    {},
    { refresh_token: '' },
    { refresh_token: ['x'] },
    { refresh_token: 'x', other: 1 },
  ]) {
    refusedByCenter(t, await post(app, '/refresh_token', body), 400, 'BODY_INVALID')
  }
  refusedByCenter(
    t,
    await post(app, '/refresh_token', { refresh_token: 'x'.repeat(4097) }),
    400,
    'BODY_INVALID',
    'too long',
  )
})

test('a refresh from another site is refused', async (t) => {
  const { app } = await startUserCenter(t)
  const { refreshToken } = await signIn(app, 'token')
  const foreign = { origin: 'https://evil.example' }
  refusedByCenter(
    t,
    await post(app, '/refresh_token', { refresh_token: refreshToken }, foreign),
    403,
    'CROSS_SITE',
  )
})

test('refreshing never extends the absolute end', async (t) => {
  const { app, clock } = await startUserCenter(t, { REFRESH_TOKEN_TTL: '2000' })
  let { refreshToken } = await signIn(app, 'token')
  for (let round = 0; round < 3; round++) {
    clock.advance(600)
    const { data } = (await post(app, '/refresh_token', { refresh_token: refreshToken })).json()
    t.equal(data.refresh_expires_in, 2000 - 600 * (round + 1))
    t.equal(data.expires_in, Math.min(900, data.refresh_expires_in), 'nor does the access token outlive it')
    refreshToken = data.refresh_token
  }
  clock.advance(200)
  refusedByCenter(
    t,
    await post(app, '/refresh_token', { refresh_token: refreshToken }),
    401,
    'REFRESH_REFUSED',
  )
})
