import Fastify, { type preHandlerHookHandler } from 'fastify'
import { place, required } from '../lib/environment.js'
import { userInfo, userInfoSchema, usernameOf } from '../lib/profile.js'

// The bare route with the minimum of any guard.
const layers = required('LAYERS').split(',')
const noStore = layers.includes('no-store')

const letPass: preHandlerHookHandler = (_request, reply, done) => {
  if (noStore) reply.header('cache-control', 'no-store')
  done()
}

const app = Fastify()
if (layers.includes('hooks')) {
  app.addHook('onRequest', (_request, _reply, done) => done())
  app.addHook('onSend', (_request, _reply, _payload, done) => done())
}
app.post('/sign_in', () => ({}))
app.get('/user_info', { schema: userInfoSchema, preHandler: letPass }, () =>
  userInfo(usernameOf(0), 'cookie'),
)
await app.listen(place())
