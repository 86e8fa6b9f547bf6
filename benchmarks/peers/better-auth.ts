import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { fromNodeHeaders } from 'better-auth/node'
import { bearer } from 'better-auth/plugins'
import Fastify from 'fastify'
import { createClient } from 'redis'
import { place, required, SECRET, type SignInBody } from '../lib/environment.js'
import { nobody, userInfo, userInfoSchema } from '../lib/profile.js'

// As its documentation has it for Fastify and for Redis. The accounts are in memory, and the hash costs nothing:
// neither is asked for on a request.
const byBearer = process.env.BEARER === 'true'
const client = createClient({ url: required('REDIS_URL') })
await client.connect()
const { port, host } = place()
const auth = betterAuth({
  secret: SECRET,
  baseURL: `http://${host}:${port}`,
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  secondaryStorage: {
    get: (key) => client.get(key),
    set: async (key, value, ttl) => void (await client.set(key, value, ttl ? { EX: ttl } : {})),
    delete: async (key) => void (await client.del(key)),
    getAndDelete: (key) => client.getDel(key),
    // Counts for its rate limit, which is off.
    increment: (key) => client.incr(key),
  },
  emailAndPassword: {
    enabled: true,
    password: { hash: async (text) => text, verify: async ({ hash, password }) => hash === password },
  },
  session: byBearer ? {} : { cookieCache: { enabled: true, maxAge: 300 } },
  plugins: byBearer ? [bearer()] : [],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
})

const app = Fastify()

app.post<{ Body: SignInBody }>('/sign_in', async (request, reply) => {
  const { username } = request.body
  const body = { name: username, email: `${username}@example.org`, password: 'correct horse' }
  const { headers } = await auth.api.signUpEmail({ body, asResponse: true })
  if (byBearer) return { token: headers.get('set-auth-token') }
  reply.header('set-cookie', headers.getSetCookie())
  return {}
})

app.get('/user_info', { schema: userInfoSchema }, async (request) => {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
  if (session === null) throw nobody()
  return userInfo(session.user.name, byBearer ? 'token' : 'cookie')
})

await app.listen({ port, host })
