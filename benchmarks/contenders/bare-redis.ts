import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { place, required } from '../lib/environment.js'
import { userInfo, userInfoSchema, usernameOf } from '../lib/profile.js'

// The minimum cost of any design that asks Redis on each request.
const redis = new Redis(required('REDIS_URL'), { enableAutoPipelining: true })
await redis.set('user', usernameOf(0))
const app = Fastify()
app.post('/sign_in', () => ({}))
app.get('/user_info', { schema: userInfoSchema }, async () => {
  const username = await redis.get('user')
  if (username === null) throw new Error('nobody')
  return userInfo(username, 'cookie')
})
await app.listen(place())
