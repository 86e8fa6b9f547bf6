import type { FastifyInstance } from 'fastify'
import type { CookieNames } from 'fastify-identity/config'
import { cookieSpec, readCookie } from 'fastify-identity/inspect'
import { answer } from './http/answer.js'
import { isFromThisMachine } from './lab/gate.js'
import type { Operation } from './openapi/operation.js'
import { Settings } from './openapi/schemas.js'

export interface SettingsOptions extends CookieNames {
  readonly production: boolean
  readonly cookieSecure: boolean
  readonly docs: boolean
  /** Whether the experiments are served to this machine. */
  readonly lab: boolean
  /** Whether anybody may register an account. */
  readonly registrationOpen: boolean
  readonly publicUrl: string | null
  /** null: no passkeys. */
  readonly rpId: string | null
}

const SETTINGS: Operation = {
  id: 'settings',
  tag: 'Machinery',
  summary: 'Get the settings of this server',
  data: Settings,
  says: 'SETTINGS',
  refusals: [],
}

/** Facts that the page needs before a sign-in. An attacker could find out each of them by trying. */
export async function settingsRoutes(app: FastifyInstance, options: SettingsOptions): Promise<void> {
  const { production, cookieSecure, cookieName, sessionName, registrationOpen } = options
  const cookie_names = {
    cookie: cookieSpec(cookieName, cookieSecure).name,
    session: cookieSpec(sessionName, cookieSecure).name,
  }
  const refreshName = cookieSpec('refresh', cookieSecure).name
  const fixed = {
    registration: registrationOpen ? 'open' : 'closed',
    inspector: !production,
    mail: app.hasAccountMail,
    passkey_origin: options.rpId === null ? null : options.publicUrl,
    docs: options.docs,
    cookie_names,
  }

  app.get('/settings', { config: { operation: SETTINGS } }, async function settings(request) {
    // The page's script cannot see our cookies. So this tells it whether one was sent. Only then does it ask for the
    // caller, or refresh.
    const isSent = (name: string) => readCookie(request.headers.cookie, name).kind !== 'absent'
    const refresh_sent = isSent(refreshName)
    const cookie_sent = refresh_sent || Object.values(cookie_names).some(isSent)
    const lab = options.lab && isFromThisMachine(request)
    return answer(request, 'SETTINGS', { data: { ...fixed, lab, cookie_sent, refresh_sent } })
  })
}
