import type { FastifyInstance } from 'fastify'
import { accountRoute } from './account.js'
import { accountRoutes } from './accounts.js'
import { type ApiKeyRoutesOptions, apiKeyRoutes } from './api-keys.js'
import { emailRoutes } from './email.js'
import { accountFactorRoute } from './factors/account-factors.js'
import { factorRoutes } from './factors/list.js'
import { factorLoginRoutes } from './factors/login.js'
import { tellOwners } from './factors/notices.js'
import { type PasskeyRoutesOptions, passkeyRoutes } from './factors/passkeys.js'
import { stepUpRoute } from './factors/step-up.js'
import { totpRoutes } from './factors/totp.js'
import { forgottenPasswordRoutes } from './forgotten-password.js'
import { healthRoutes } from './health.js'
import { handleFailures } from './http/failures.js'
import { readJsonOnly } from './http/json.js'
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
    ApiKeyRoutesOptions,
    PasskeyRoutesOptions {
  /** Whether `GET /metrics` exists. */
  readonly metrics: boolean
}

/** The user center's JSON API. */
export async function apiRoutes(app: FastifyInstance, options: ApiOptions): Promise<void> {
  handleFailures(app)
  readJsonOnly(app)
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
  await app.register(emailRoutes)
  await app.register(forgottenPasswordRoutes)
  tellOwners(app)
  await app.register(factorLoginRoutes, options)
  await app.register(factorRoutes)
  await app.register(totpRoutes)
  await app.register(passkeyRoutes, options)
  await app.register(stepUpRoute)
  await app.register(accountFactorRoute)
  await app.register(settingsRoutes, options)
  await app.register(inspectorRoutes, options)
  await app.register(registrationRoutes, options)
  await app.register(accountRoutes)
  await app.register(accountRoute)
}
