import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  HTTPMethods,
  RouteHandlerMethod,
} from 'fastify'
import { readBearer } from 'fastify-identity/token-auth'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { answer } from './http/answer.js'
import { BodyInvalid } from './http/errors.js'

const METHODS: readonly HTTPMethods[] = ['GET', 'POST']

/** The optional body of a logout by token. */
export const LogoutBody = Type.Object(
  { refresh_token: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })) },
  { additionalProperties: false },
)
const refreshBody = Compile(LogoutBody)

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

/** With two credentials, a logout in any mode cannot tell which one to end. */
function refuseAmbiguous(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  readBearer(request)
  done()
}

function addLogout(app: FastifyInstance, url: string, handler: RouteHandlerMethod): void {
  const preHandler = [refuseAmbiguous, app.csrf.logout]
  // HEAD would run the GET handler, and a link checker would sign people out.
  for (const method of METHODS) app.route({ method, url, exposeHeadRoute: false, preHandler, handler })
}

async function cookieAndSession(app: FastifyInstance): Promise<void> {
  ignoreBodies(app)
  addLogout(app, '/logout_cookie', async function logoutCookie(request) {
    await request.signOut('cookie')
    return answer(request, 'LOGGED_OUT', { auth_type: 'cookie' })
  })
  addLogout(app, '/logout_session', async function logoutSession(request) {
    await request.signOut('session')
    return answer(request, 'LOGGED_OUT', { auth_type: 'session' })
  })
}

async function token(app: FastifyInstance): Promise<void> {
  readJsonOnly(app)
  addLogout(app, '/logout_token', async function logoutToken(request) {
    const refreshToken = refreshTokenOf(request)
    await request.signOut('token')
    if (refreshToken !== null) await app.refreshTokens.signOut(refreshToken, request)
    return answer(request, 'LOGGED_OUT', { auth_type: 'token' })
  })
}

/** A logout for each mode. A second one, or one without a credential, answers 200 and does nothing. */
export async function logoutRoutes(app: FastifyInstance): Promise<void> {
  await app.register(cookieAndSession)
  await app.register(token)
}
