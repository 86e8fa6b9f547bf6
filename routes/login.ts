import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { TokenPair } from 'fastify-identity/token-auth'
import { answer } from './http/answer.js'

/** In code points. Longer names and passwords are refused before any lookup or hash. */
const credentials = {
  username: Type.String({ minLength: 1, maxLength: 256 }),
  password: Type.String({ minLength: 1, maxLength: 1024 }),
}
const Credentials = Type.Object(credentials, { additionalProperties: false })
const RememberedCredentials = Type.Object(
  { ...credentials, remember: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
)
const RefreshBody = Type.Object(
  { refresh_token: Type.String({ minLength: 1, maxLength: 4096 }) },
  { additionalProperties: false },
)

/** A pair of tokens as it goes over the wire (RFC 6749 §5.1). Lifetimes are in seconds. */
function tokenData(pair: TokenPair) {
  return {
    token: pair.token,
    token_type: pair.tokenType,
    expires_in: pair.expiresIn,
    refresh_token: pair.refreshToken,
    refresh_expires_in: pair.refreshExpiresIn,
  }
}

/** The three logins and the token refresh. Requests from pages of other sites are refused. */
export async function loginRoutes(scope: FastifyInstance): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const preHandler = app.csrf.sameOrigin

  app.post(
    '/login_cookie',
    { schema: { body: RememberedCredentials }, preHandler },
    async function loginByCookie(request) {
      const { remember, ...credentials } = request.body
      await app.throttle.signIn(request, 'cookie', credentials, { remember })
      return answer(request, 'SIGNED_IN', { auth_type: 'cookie' })
    },
  )

  app.post(
    '/login_session',
    { schema: { body: RememberedCredentials }, preHandler },
    async function loginBySession(request) {
      const { remember, ...credentials } = request.body
      await app.throttle.signIn(request, 'session', credentials, { remember })
      return answer(request, 'SIGNED_IN', { auth_type: 'session' })
    },
  )

  app.post(
    '/login_token',
    { schema: { body: Credentials }, preHandler },
    async function loginByToken(request) {
      const pair = await app.throttle.signIn(request, 'token', request.body)
      return answer(request, 'SIGNED_IN', { auth_type: 'token', data: tokenData(pair) })
    },
  )

  app.post(
    '/refresh_token',
    { schema: { body: RefreshBody }, preHandler },
    async function refreshToken(request) {
      // Counted only after a refusal: nobody can guess a refresh token.
      const refresh = () => app.refreshTokens.refresh(request, request.body.refresh_token)
      const pair = await app.throttle.byAddress(request, 'refresh', refresh, 'afterwards')
      return answer(request, 'REFRESHED', { auth_type: 'token', data: tokenData(pair) })
    },
  )
}
