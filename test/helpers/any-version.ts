import Fastify, { type FastifyInstance, type FastifyPluginAsync, type LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import suite, {
  type AccountSource,
  type Credentials,
  type SignInOptions,
  type SuiteOptions,
} from '../../plugins/index.js'
import { type Credential, credentialCookies, type Mode } from './http.js'

/* An application that registers the suite of this version, or of an earlier one. */

export const ALICE = { id: 'alice', username: 'alice', role: 'user' }
const accounts: AccountSource = {
  verify: async () => ALICE,
  find: async (id) => (id === ALICE.id ? ALICE : null),
}

/** The codes of an earlier version for credentials that it cannot judge. */
export const CANNOT_JUDGE = { cookie: 'CREDENTIAL_INVALID', session: 'SIGNED_OUT', token: 'TOKEN_INVALID' }

type InMode<Body = unknown> = { Params: { mode: Mode }; Body: Body }

function addRoutes(app: FastifyInstance): void {
  const preHandler = app.guard()
  app.get('/who', { preHandler }, (request) => request.identity)
  app.post<{ Body: { refreshToken?: string } }>('/step_up', { preHandler }, (request) =>
    request.stepUp(['totp'], request.body),
  )
  app.get('/cart', { onRequest: app.useSession }, (request) => ({
    cart: Reflect.get(request.session, 'cart'),
  }))
  app.post<InMode<SignInOptions | null>>('/in/:mode', (request) =>
    request.signIn(request.params.mode, ALICE, request.body ?? undefined),
  )
  app.post<InMode<Credentials>>('/login/:mode', async (request) => ({
    issued: await app.throttle.signIn(request, request.params.mode, request.body),
  }))
  app.post<{ Body: { token: string } }>('/refresh', (request) =>
    app.refreshTokens.refresh(request, request.body.token),
  )
  app.post<InMode>('/out/:mode', { preHandler: app.csrf.sameOrigin }, async (request) => ({
    out: await request.signOut(request.params.mode),
  }))
}

type Options = Partial<SuiteOptions> & Pick<SuiteOptions, 'state' | 'secrets'>

/** An application with one account, alice, unless the options say otherwise. */
export async function startSuite(
  t: Test,
  options: Options,
  plugin: FastifyPluginAsync<SuiteOptions> = suite,
): Promise<FastifyInstance> {
  const app = Fastify({ pluginTimeout: 0 })
  t.teardown(() => app.close())
  await app.register(plugin, { accounts, secure: false, ...options })
  addRoutes(app)
  await app.ready()
  return app
}

/** The credential of an answer. Undefined if it has none. */
export function credentialOf(mode: Mode, response: LightMyRequestResponse): Credential | undefined {
  if (mode === 'token') return { authorization: `Bearer ${response.json().token}` }
  const [cookie] = credentialCookies(response)
  return cookie && { cookie: `${cookie.name}=${cookie.value}` }
}

export async function signInAt(app: FastifyInstance, mode: Mode, options?: SignInOptions) {
  const response = await app.inject({
    method: 'POST',
    url: `/in/${mode}`,
    ...(options && { payload: options }),
  })
  const headers = credentialOf(mode, response)
  if (response.statusCode !== 200 || !headers) throw new Error(`sign-in by ${mode}: ${response.body}`)
  return { headers, refreshToken: mode === 'token' ? response.json().refreshToken : '' }
}

export const who = (app: FastifyInstance, headers: Credential) => app.inject({ url: '/who', headers })

export const refresh = (app: FastifyInstance, token: string) =>
  app.inject({ method: 'POST', url: '/refresh', payload: { token } })

/** The refusal, as soon as the instance refuses the credential. The promise is a second; the test gives it more. */
export async function refusedSoon(
  app: FastifyInstance,
  headers: Credential,
): Promise<LightMyRequestResponse> {
  const deadline = Date.now() + 30_000
  while (true) {
    const answer = await who(app, headers)
    if (answer.statusCode !== 200) return answer
    if (Date.now() > deadline) throw new Error('it is still accepted')
    await new Promise((again) => setTimeout(again, 10))
  }
}
