import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { RedisStore } from 'connect-redis'
import Fastify from 'fastify'
import { createClient } from 'redis'
import { place, required, SECRET, type SignInBody } from '../lib/environment.js'
import { nobody, userInfo, userInfoSchema } from '../lib/profile.js'

declare module 'fastify' {
  interface Session {
    username?: string
  }
}

// As its README has it, with the store that it names.
const client = createClient({ url: required('REDIS_URL') })
await client.connect()
const app = Fastify()
await app.register(fastifyCookie)
await app.register(fastifySession, {
  secret: SECRET,
  store: new RedisStore({ client }),
  cookie: { secure: false },
})

app.post<{ Body: SignInBody }>('/sign_in', async (request) => {
  await request.session.regenerate()
  request.session.username = request.body.username
  return {}
})

app.get('/user_info', { schema: userInfoSchema }, (request) => {
  const { username } = request.session
  if (username === undefined) throw nobody()
  return userInfo(username, 'session')
})

await app.listen(place())
