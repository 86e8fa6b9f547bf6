import { test } from 'tap'
import { ADMIN, signIn, userInfo } from '../../helpers/http.js'
import { startUserCenter } from '../../helpers/user-center.js'

test('an answer has the parts that it was given and no others', async (t) => {
  const { app } = await startUserCenter(t)
  t.equal((await app.inject('/healthz')).body, '{"code":200,"msg":"The process is running."}')
  const { response, credential } = await signIn(app, 'cookie', ADMIN)
  t.same(response.json(), { code: 200, msg: 'You are signed in.', auth_type: 'cookie' })
  const { code, msg, data, auth_type, ...others } = (await userInfo(app, credential)).json()
  t.match({ code, msg, auth_type }, { code: 200, msg: 'You are recognised.', auth_type: 'cookie' })
  t.same(Object.keys(data), ['username', 'role', 'avatar', 'display_name', 'email', 'last_sign_ins'])
  t.same(others, {})
})

test('each of many who ask at once is told who they are, whether or not their avatar is at hand', async (t) => {
  const { app } = await startUserCenter(t)
  const callers = [
    { ...(await signIn(app, 'cookie', ADMIN)), auth_type: 'cookie', username: 'admin' },
    { ...(await signIn(app, 'token')), auth_type: 'token', username: 'user1' },
  ]
  for (const round of ['read', 'at hand'])
    await Promise.all(
      callers.map(async ({ credential, auth_type, username }) => {
        const body = (await userInfo(app, credential)).json()
        t.match(body, { code: 200, auth_type, data: { username, avatar: /^data:/ } }, `${round}: ${username}`)
      }),
    )
})
