import Fastify from 'fastify'
import { place } from '../lib/environment.js'
import { userInfo, userInfoSchema, usernameOf } from '../lib/profile.js'

// The ceiling: the same body and serializer, without auth.
const app = Fastify()
app.post('/sign_in', () => ({}))
app.get('/user_info', { schema: userInfoSchema }, () => userInfo(usernameOf(0), 'cookie'))
await app.listen(place())
