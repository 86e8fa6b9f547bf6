import helmet from '@fastify/helmet'
import Fastify from 'fastify'
import { quietSerializers } from '../../routes/quiet-log.js'
import { place } from '../lib/environment.js'
import { userInfo, usernameOf } from '../lib/profile.js'

// What the user center is put beside: no auth, but its logger, its headers and its body, which has no schema.
const app = Fastify({ logger: { level: 'info', serializers: quietSerializers } })
await app.register(helmet)
app.addHook('onRequest', (_request, reply, done) => {
  reply.header('cache-control', 'no-store')
  done()
})
app.post('/sign_in', () => ({}))
app.get('/user_info', () => userInfo(usernameOf(0), 'cookie'))
await app.listen(place())
