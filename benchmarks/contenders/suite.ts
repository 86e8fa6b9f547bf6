import Fastify from 'fastify'
import fastifyIdentity, { type SuiteOptions } from 'fastify-identity'
import { place, required, SECRET, type SignInBody } from '../lib/environment.js'
import { accountOf, accounts, userInfo, userInfoSchema } from '../lib/profile.js'

const MODES = ['token', 'session', 'cookie'] as const
const named = required('MODES').split(',')
const modes = MODES.filter((mode) => named.includes(mode))
const mode = MODES.find((name) => name === required('MODE')) ?? 'cookie'

const state: SuiteOptions['state'] =
  required('STATE') === 'Redis' ? { redisUrl: required('REDIS_URL') } : { dataDir: required('DATA_DIR') }

const app = Fastify()
await app.register(fastifyIdentity, { secrets: [SECRET], state, accounts, modes })

app.post<{ Body: SignInBody }>('/sign_in', async (request) => {
  return request.signIn(mode, accountOf(request.body.username))
})

app.get('/user_info', { schema: userInfoSchema, preHandler: app.guard() }, (request) =>
  userInfo(request.identity.username, request.identity.mode),
)

await app.listen(place())
