import { randomUUID } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { place, required, SECRET, type SignInBody, TOKEN_TTL } from '../lib/environment.js'
import { nobody, userInfo, userInfoSchema } from '../lib/profile.js'

// As in its README, with its hook for a denylist.
const redis = new Redis(required('REDIS_URL'))
const app = Fastify()
await app.register(fastifyJwt, {
  secret: SECRET,
  sign: { expiresIn: TOKEN_TTL },
  trusted: async (_request, token) => (await redis.exists(`denied:${String(token.jti)}`)) === 0,
})

app.post<{ Body: SignInBody }>('/sign_in', async (request) => ({
  token: app.jwt.sign({ username: request.body.username, jti: randomUUID() }),
}))

app.get('/user_info', { schema: userInfoSchema, onRequest: (request) => request.jwtVerify() }, ({ user }) => {
  if (typeof user !== 'object' || !('username' in user)) throw nobody()
  return userInfo(String(user.username), 'token')
})

await app.listen(place())
