import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { CredentialAmbiguous } from 'fastify-identity/errors'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { answer } from './http/answer.js'
import { BodyInvalid } from './http/errors.js'
import { noticeNewDevice } from './http/new-device.js'
import { loginMemo, sendPair } from './http/tokens.js'
import { BODY, LOGIN, PROOF } from './openapi/failures.js'
import type { Mode, Operation } from './openapi/operation.js'
import { TokenPair as TokenPairSchema } from './openapi/schemas.js'

/** In code points. Longer names and passwords are refused before any lookup or hash. */
const credentials = {
  username: Type.String({ minLength: 1, maxLength: 256 }),
  password: Type.String({ minLength: 1, maxLength: 1024 }),
}
const RememberedCredentials = Type.Object(
  { ...credentials, remember: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
)
const TokenCredentials = Type.Object(
  { ...credentials, refresh_cookie: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
)
const RefreshBody = Type.Object(
  { refresh_token: Type.String({ minLength: 1, maxLength: 4096 }) },
  { additionalProperties: false },
)
const refreshBody = Compile(RefreshBody)

const login = (id: string, mode: Mode, gives: string, data?: TSchema): Operation => ({
  id,
  tag: 'Signing in',
  summary: `Sign in by ${mode}`,
  description: `${gives} It ends the sign-in of the request’s own credential of this mode.`,
  authType: mode,
  says: 'SIGNED_IN',
  bodyExample: { username: 'user1', password: 'user123', ...(mode === 'token' ? {} : { remember: true }) },
  ...(data ? { data } : {}),
  refusals: mode === 'token' ? [...LOGIN, ...PROOF] : LOGIN,
})

const BY_COOKIE = login(
  'loginByCookie',
  'cookie',
  'Sets the signed auth cookie, and a cookie that identifies the device to the rate limit.',
)

const BY_SESSION = login(
  'loginBySession',
  'session',
  'Sets the session cookie with a new id, and a cookie that identifies the device to the rate limit.',
)

const BY_TOKEN = login(
  'loginByToken',
  'token',
  'Answers with a pair of tokens. With refresh_cookie, the refresh token is in a cookie that no script can read, and not in the answer. With a DPoP proof (RFC 9449) in the header DPoP, the tokens are bound to its key.',
  TokenPairSchema,
)

const REFRESH: Operation = {
  id: 'refreshToken',
  tag: 'Signing in',
  summary: 'Exchange a refresh token for a new pair',
  description:
    'Takes the refresh token from the body, or without a body from the refresh cookie; both together are refused. A retry within the grace period gets the same new pair again. Any older refresh token counts as theft and ends the sign-in. A bound token needs a DPoP proof by its key.',
  data: TokenPairSchema,
  authType: 'token',
  says: 'REFRESHED',
  body: RefreshBody,
  bodyExample: { refresh_token: 'v1.7FrCmMBA…' },
  refusals: [
    ...BODY,
    'CREDENTIAL_AMBIGUOUS',
    'HOST_AMBIGUOUS',
    'REFRESH_REFUSED',
    ...PROOF,
    'CROSS_SITE',
    'THROTTLED',
    'STORE_UNAVAILABLE',
  ],
}

interface PresentedToken {
  readonly token: string
  readonly isInCookie: boolean
}

/**
 * The refresh token of the body or, without a body, of the cookie.
 * @throws BODY_INVALID, CREDENTIAL_AMBIGUOUS with both
 */
function presentedToken(request: FastifyRequest): PresentedToken {
  const inCookie = request.server.refreshCookie.read(request)
  const { body } = request
  if (body === undefined) {
    if (inCookie === null) throw new BodyInvalid()
    return { token: inCookie, isInCookie: true }
  }
  if (!refreshBody.Check(body)) throw new BodyInvalid()
  if (inCookie !== null) throw new CredentialAmbiguous()
  return { token: body.refresh_token, isInCookie: false }
}

/** Runs before the same-origin check, like the validation of other bodies. */
function checkPresented(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  presentedToken(request)
  done()
}

/** The three logins and the token refresh. Requests from pages of other sites are refused. */
export async function loginRoutes(scope: FastifyInstance): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const preHandler = app.csrf.sameOrigin

  app.post(
    '/login_cookie',
    { schema: { body: RememberedCredentials }, preHandler, config: { operation: BY_COOKIE } },
    async function loginByCookie(request) {
      const { remember, ...credentials } = request.body
      await app.throttle.signIn(request, 'cookie', credentials, { remember })
      await noticeNewDevice(request, credentials.username)
      return answer(request, 'SIGNED_IN', { auth_type: 'cookie' })
    },
  )

  app.post(
    '/login_session',
    { schema: { body: RememberedCredentials }, preHandler, config: { operation: BY_SESSION } },
    async function loginBySession(request) {
      const { remember, ...credentials } = request.body
      await app.throttle.signIn(request, 'session', credentials, { remember })
      await noticeNewDevice(request, credentials.username)
      return answer(request, 'SIGNED_IN', { auth_type: 'session' })
    },
  )

  app.post(
    '/login_token',
    { schema: { body: TokenCredentials }, preHandler, config: { operation: BY_TOKEN } },
    async function loginByToken(request, reply) {
      const { refresh_cookie: inCookie = false, ...credentials } = request.body
      const memo = loginMemo(inCookie)
      const issued = await app.throttle.signIn(request, 'token', credentials, { memo })
      await noticeNewDevice(request, credentials.username)
      const data = await sendPair(request, reply, issued, inCookie)
      return answer(request, 'SIGNED_IN', { auth_type: 'token', data })
    },
  )

  app.post(
    '/refresh_token',
    { preHandler: [checkPresented, preHandler], config: { operation: REFRESH } },
    async function refreshToken(request, reply) {
      const { token, isInCookie } = presentedToken(request)
      // Counted only after a refusal: nobody can guess a refresh token.
      const refresh = () => app.refreshTokens.refresh(request, token)
      const issued = await app.throttle.byAddress(request, 'refresh', refresh, 'afterwards')
      const data = await sendPair(request, reply, issued, isInCookie)
      return answer(request, 'REFRESHED', { auth_type: 'token', data })
    },
  )
}
