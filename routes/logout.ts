import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RouteHandlerMethod,
} from 'fastify'
import { readBearer } from 'fastify-identity/token-auth'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { answer } from './http/answer.js'
import { BodyInvalid } from './http/errors.js'
import { LOGOUT } from './openapi/failures.js'
import type { Mode, Operation } from './openapi/operation.js'

/** The optional body of a logout by token. */
const LogoutBody = Type.Object(
  { refresh_token: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })) },
  { additionalProperties: false },
)
const refreshBody = Compile(LogoutBody)

const logout = (id: string, mode: Mode, description: string): Operation => ({
  id,
  tag: 'Signing in',
  summary: `Sign out by ${mode}`,
  description: `${description} A second sign-out, or one without a credential, answers 200 and does nothing.`,
  authType: mode,
  says: 'LOGGED_OUT',
  refusals: LOGOUT,
})

const BY_COOKIE = logout('logoutCookie', 'cookie', 'Ends the sign-in and clears the cookie.')
const BY_SESSION = logout(
  'logoutSession',
  'session',
  'Ends the sign-in, deletes the session and clears the cookie.',
)
const BY_TOKEN: Operation = {
  ...logout(
    'logoutToken',
    'token',
    'Ends the sign-in of the access token, and that of the refresh cookie, which is cleared. Their access and refresh tokens are then refused.',
  ),
  takes: 'token',
}
const BY_TOKEN_AND_BODY: Operation = {
  ...BY_TOKEN,
  description: `${BY_TOKEN.description} It also accepts an expired access token, or any refresh token of the sign-in, as { refresh_token } in a JSON body.`,
  body: LogoutBody,
  bodyExample: { refresh_token: 'v1.7FrCmMBA…' },
  refusals: [...LOGOUT, 'BODY_INVALID', 'BODY_TOO_LARGE'],
}

/** The same operation by GET, for plain links. */
const byLink = (operation: Operation): Operation => ({
  ...operation,
  id: `${operation.id}ByLink`,
  summary: `${operation.summary}, by a link`,
})

/** The media type, with any parameters. */
const JSON_TYPE = /^application\/json\s*(;|$)/i

/**
 * Ignores the body. It also removes the content type, since Fastify refuses a malformed one before it asks for a
 * parser.
 */
function dropContentType(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (!JSON_TYPE.test(request.headers['content-type'] ?? '')) delete request.headers['content-type']
  done()
}

function ignoreBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', dropContentType)
  app.addContentTypeParser('*', function skipBody(_request, payload, done) {
    payload.resume()
    done(null)
  })
}

/** Reads a JSON body, and ignores any other. */
function readJsonOnly(app: FastifyInstance): void {
  ignoreBodies(app)
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    function parseJson(_request, body, done) {
      if (body === '') return done(null)
      try {
        done(null, JSON.parse(String(body)))
      } catch {
        done(new BodyInvalid())
      }
    },
  )
}

/** The refresh token in the body, or null without a body. @throws BODY_INVALID */
function refreshTokenOf(request: FastifyRequest): string | null {
  if (request.body === undefined || request.body === null) return null
  if (!refreshBody.Check(request.body)) throw new BodyInvalid()
  return request.body.refresh_token ?? null
}

/** Refuses a request with two credentials: a logout could not tell which one to end. */
function refuseAmbiguous(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  readBearer(request)
  done()
}

interface Logout {
  readonly url: string
  readonly handler: RouteHandlerMethod
  readonly get: Operation
  readonly post: Operation
}

function addLogout(app: FastifyInstance, { url, handler, get, post }: Logout): void {
  const preHandler = [refuseAmbiguous, app.csrf.logout]
  // HEAD would run the GET handler, and a link checker would sign people out.
  const route = { url, handler, preHandler, exposeHeadRoute: false }
  app.route({ ...route, method: 'GET', config: { operation: get } })
  app.route({ ...route, method: 'POST', config: { operation: post } })
}

async function cookieAndSession(app: FastifyInstance): Promise<void> {
  ignoreBodies(app)
  async function logoutCookie(request: FastifyRequest) {
    await request.signOut('cookie')
    return answer(request, 'LOGGED_OUT', { auth_type: 'cookie' })
  }
  async function logoutSession(request: FastifyRequest) {
    await request.signOut('session')
    return answer(request, 'LOGGED_OUT', { auth_type: 'session' })
  }
  addLogout(app, { url: '/logout_cookie', handler: logoutCookie, get: byLink(BY_COOKIE), post: BY_COOKIE })
  addLogout(app, {
    url: '/logout_session',
    handler: logoutSession,
    get: byLink(BY_SESSION),
    post: BY_SESSION,
  })
}

async function token(app: FastifyInstance): Promise<void> {
  readJsonOnly(app)
  async function logoutToken(request: FastifyRequest) {
    const refreshToken = refreshTokenOf(request)
    await request.signOut('token')
    if (refreshToken !== null) await app.refreshTokens.signOut(refreshToken, request)
    return answer(request, 'LOGGED_OUT', { auth_type: 'token' })
  }
  addLogout(app, {
    url: '/logout_token',
    handler: logoutToken,
    get: byLink(BY_TOKEN),
    post: BY_TOKEN_AND_BODY,
  })
}

/** A logout for each mode. A second one, or one without a credential, answers 200 and does nothing. */
export async function logoutRoutes(app: FastifyInstance): Promise<void> {
  await app.register(cookieAndSession)
  await app.register(token)
}
