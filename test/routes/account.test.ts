import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import { ADMIN, type Credential, MODES, post, refusedByCenter, signIn, USER } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const show = (app: FastifyInstance, headers: Credential, username = 'user1') =>
  app.inject({ url: `/accounts/${encodeURIComponent(username)}`, headers })

test('an administrator sees an account: its state, its sign-ins, its keys and what happened', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const admin = await signIn(app, 'token', ADMIN)
  clock.advance(1)
  const user = await signIn(app, 'cookie', USER, { 'user-agent': 'the agent' })
  clock.advance(1)
  const made = (await post(app, '/api_keys', { name: 'deploy' }, user.credential)).json().data
  clock.advance(1)
  const wrong = { current_password: 'wrong', new_password: 'three quiet ravens' }
  await post(app, '/password', wrong, user.credential)
  clock.advance(1)
  await app.inject({
    method: 'PATCH',
    url: '/user_info',
    headers: user.credential,
    payload: { display_name: 'Ada' },
  })
  const response = await show(app, admin.credential, 'USER1')
  t.equal(response.headers['cache-control'], 'no-store')
  const { code, data } = response.json()
  t.equal(code, 200)
  const [signedIn] = data.sign_ins
  t.match(data, {
    username: 'user1',
    display_name: 'Ada',
    role: 'user',
    disabled: false,
    sign_ins: [{ auth_type: 'cookie', user_agent: 'the agent', current: false }],
    keys: [{ id: made.id, name: 'deploy' }],
    events: [
      { type: 'profile_changed', changed: 'display_name', by: 'owner' },
      { type: 'password_refused', auth_type: 'cookie', sign_in_id: signedIn.id },
      { type: 'signed_in', auth_type: 'api_key', sign_in_id: made.id },
      { type: 'signed_in', auth_type: 'cookie', sign_in_id: signedIn.id, ip: '127.0.0.1' },
    ],
  })
  t.same([data.sign_ins.length, data.keys.length, data.events.length], [1, 1, 4])
  t.equal(data.events[1].time, new Date(clock() - 1000).toISOString())
  const secrets = [made.key.split('_')[2], String(user.credential.cookie).split('=')[1]]
  for (const secret of secrets) t.notMatch(response.body, String(secret))
  t.notMatch(response.body, /argon2|"hash|epoch|"accountId/)
})

test('an account’s changes and endings are among its events, with who did it', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const admin = await signIn(app, 'session', ADMIN)
  await post(app, '/register', { username: 'Zoë', password: 'three quiet ravens' })
  clock.advance(1)
  await signIn(app, 'cookie', { username: 'Zoë', password: 'three quiet ravens' })
  const change = { headers: admin.credential, url: '/accounts/Zo%C3%AB' }
  clock.advance(1)
  await app.inject({ ...change, method: 'DELETE', url: `${change.url}/sign_ins` })
  clock.advance(1)
  await app.inject({ ...change, method: 'PATCH', payload: { disabled: true } })
  const { data } = (await show(app, admin.credential, 'Zoë')).json()
  const { id: actor_id } = (await show(app, admin.credential, 'admin')).json().data
  const wanted = [
    { type: 'account_changed', changed: 'disabled', to: true, by: 'admin', actor_id },
    { type: 'sign_in_ended', by: 'admin', why: 'asked', actor_id },
    { type: 'signed_in', auth_type: 'cookie' },
    { type: 'account_created', role: 'user', by: 'registration', actor_id: null },
  ]
  t.match(data, { disabled: true, sign_ins: [], keys: [], events: wanted })
})

test('only administrators see an account, and no key does', async (t) => {
  const { app } = await startUserCenter(t)
  refusedByCenter(t, await show(app, {}), 403, 'NOT_SIGNED_IN')
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    for (const name of ['user1', 'admin', 'nobody'])
      refusedByCenter(t, await show(app, credential, name), 403, 'ROLE_REQUIRED', `${mode}: ${name}`)
    const admin = await signIn(app, mode, ADMIN)
    t.equal((await show(app, admin.credential)).statusCode, 200, mode)
    for (const name of ['nobody', "' OR '1'='1", '__proto__', 'user1\0', '%', '😀'])
      refusedByCenter(t, await show(app, admin.credential, name), 404, 'NOT_FOUND', name)
  }
  const { credential } = await signIn(app, 'cookie', ADMIN)
  const { key } = (await post(app, '/api_keys', { name: 'deploy' }, credential)).json().data
  refusedByCenter(t, await show(app, { authorization: `Bearer ${key}` }), 403, 'MODE_REQUIRED')
})
