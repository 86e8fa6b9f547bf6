import type { FastifyInstance } from 'fastify'
import type { CookieNames } from 'fastify-identity/config'
import { cookieSpec, readCookie } from 'fastify-identity/inspect'
import { answer } from './http/answer.js'

export interface SettingsOptions extends CookieNames {
  readonly production: boolean
  readonly cookieSecure: boolean
  readonly docs: boolean
  /** Whether anybody may make an account. */
  readonly registrationOpen: boolean
}

/** What the page must know before anybody is signed in. Nothing that an attacker could not try out. */
export async function settingsRoutes(app: FastifyInstance, options: SettingsOptions): Promise<void> {
  const { production, cookieSecure, cookieName, sessionName, docs, registrationOpen } = options
  const cookie_names = {
    cookie: cookieSpec(cookieName, cookieSecure).name,
    session: cookieSpec(sessionName, cookieSecure).name,
  }
  const names = Object.values(cookie_names)
  const fixed = {
    registration: registrationOpen ? 'open' : 'closed',
    inspector: !production,
    docs,
    cookie_names,
  }

  app.get('/settings', async function settings(request) {
    // The page's script cannot see our cookies, and asks who is there only where somebody may be.
    const cookie_sent = names.some((name) => readCookie(request.headers.cookie, name).kind !== 'absent')
    return answer(request, 'SETTINGS', { data: { ...fixed, cookie_sent } })
  })
}
