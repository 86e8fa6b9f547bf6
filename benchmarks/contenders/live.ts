import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import fastifyIdentity from 'fastify-identity'
import { place, required, SECRET, type SignInBody } from '../lib/environment.js'
import { accountOf, accounts } from '../lib/profile.js'

/** WebSockets that answer each message. `BIND`: whether they are bound to their sign-in. */
const isBound = required('BIND') === 'true'

const app = Fastify()
await app.register(fastifyIdentity, {
  secrets: [SECRET],
  state: { redisUrl: required('REDIS_URL') },
  accounts,
  live: {},
})
await app.register(websocket)

app.post<{ Body: SignInBody }>('/sign_in', (request) =>
  request.signIn('token', accountOf(request.body.username)),
)
app.post<{ Body: { token: string } }>('/refresh', (request) =>
  app.refreshTokens.refresh(request, request.body.token),
)
app.post('/sign_out', { preHandler: app.guard() }, async (request) => ({
  ended: await request.signOut('token'),
}))
app.get('/socket', { websocket: true, preHandler: app.guard() }, (socket, request) => {
  if (isBound) app.live.bindSocket(request, socket)
  socket.on('message', (text) => socket.send(text))
})

await app.listen(place())
