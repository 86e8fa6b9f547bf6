import fastifyCookie from '@fastify/cookie'
import Fastify from 'fastify'
import { place, SECRET, type SignInBody } from '../lib/environment.js'
import { nobody, userInfo, userInfoSchema } from '../lib/profile.js'

// As in its README. No credential expires, and no sign-in can be ended.
const app = Fastify()
await app.register(fastifyCookie, { secret: SECRET })

app.post<{ Body: SignInBody }>('/sign_in', async (request, reply) => {
  reply.setCookie('user', request.body.username, { signed: true, httpOnly: true, path: '/' })
  return {}
})

app.get('/user_info', { schema: userInfoSchema }, (request) => {
  const { valid, value } = request.unsignCookie(request.cookies.user ?? '')
  if (!valid) throw nobody()
  return userInfo(value, 'cookie')
})

await app.listen(place())
