import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { accountRoutes } from './accounts.js'
import { type ApiKeyRoutesOptions, apiKeyRoutes } from './api-keys.js'
import { healthRoutes } from './health.js'
import { BodyInvalid } from './http/errors.js'
import { handleFailures } from './http/failures.js'
import { type InspectorOptions, inspectorRoutes } from './inspector.js'
import { jwksRoutes } from './jwks.js'
import { liveRoutes } from './live.js'
import { loginRoutes } from './login.js'
import { logoutRoutes } from './logout.js'
import { metricsRoutes } from './metrics.js'
import { passwordRoutes } from './password.js'
import { type RegistrationOptions, registrationRoutes } from './register.js'
import { type SettingsOptions, settingsRoutes } from './settings.js'
import { signInRoutes } from './sign-ins.js'
import { userInfoRoutes } from './user-info.js'

export interface ApiOptions
  extends SettingsOptions,
    InspectorOptions,
    RegistrationOptions,
    ApiKeyRoutesOptions {
  /** Whether `GET /metrics` exists. */
  readonly metrics: boolean
}

/**
 * JSON is UTF-8 (RFC 8259 §8.1). A lenient decoder replaces each invalid byte by U+FFFD. Two passwords in another
 * encoding would then be equal if their ASCII letters are equal.
 *
 * An empty body is accepted, since many clients send a content type with every request.
 */
function readStrictJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    function parseJson(request, body: Buffer, done) {
      if (body.length === 0) done(null)
      else if (isUtf8(body)) parse(request, body.toString(), done)
      else done(new BodyInvalid())
    },
  )
}

/** The user center's JSON API. */
export async function apiRoutes(app: FastifyInstance, options: ApiOptions): Promise<void> {
  handleFailures(app)
  // Only JSON is read: a form on another site can send text/plain without a preflight.
  app.removeContentTypeParser('text/plain')
  readStrictJson(app)
  await app.register(healthRoutes)
  if (options.metrics) await app.register(metricsRoutes)
  await app.register(jwksRoutes)
  await app.register(loginRoutes)
  await app.register(logoutRoutes)
  await app.register(userInfoRoutes)
  await app.register(signInRoutes)
  await app.register(liveRoutes)
  await app.register(apiKeyRoutes, options)
  await app.register(passwordRoutes)
  await app.register(settingsRoutes, options)
  await app.register(inspectorRoutes, options)
  await app.register(registrationRoutes, options)
  await app.register(accountRoutes)
}
