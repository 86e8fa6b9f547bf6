import Fastify from 'fastify'
import { quietSerializers } from '../../routes/http/quiet-log.js'
import { useSecurityHeaders } from '../../routes/http/security-headers.js'
import { place } from '../lib/environment.js'
import { userInfo, usernameOf } from '../lib/profile.js'

// The reference of the user center: no auth, but the same logger, headers, and body without a schema.
const app = Fastify({ logger: { level: 'info', serializers: quietSerializers } })
useSecurityHeaders(app)
app.post('/sign_in', () => ({}))
app.get('/user_info', () => userInfo(usernameOf(0), 'cookie'))
await app.listen(place())
