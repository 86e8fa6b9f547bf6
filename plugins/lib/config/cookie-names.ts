import { ConfigInvalid } from '../errors.js'
import { isCookieName } from '../http/cookies.js'
import { type Environment, text } from './values.js'

/** What the user center calls its cookies, before the `__Host-` prefix. */
export interface CookieNames {
  readonly cookieName: string
  readonly sessionName: string
}

/** Names of other cookies that the server sets, or will set: `<name>_proof` belongs to the cookie `<name>`. */
const RESERVED = /^(device|refresh|pending|.*_proof)$/

function cookieName(env: Environment, variable: string, fallback: string): string {
  const name = text(env, variable, fallback)
  if (!isCookieName(name)) {
    throw new ConfigInvalid(
      `${variable} must be the name of a cookie, without a prefix such as __Host- or __Secure-.`,
    )
  }
  if (RESERVED.test(name))
    throw new ConfigInvalid(`${variable} must not be the name of another cookie of ours.`)
  return name
}

/** @throws CONFIG_INVALID for a name that no browser would keep, one of another cookie of ours, or one name for both */
export function readCookieNames(env: Environment): CookieNames {
  const names = {
    cookieName: cookieName(env, 'COOKIE_NAME', 'identity'),
    sessionName: cookieName(env, 'SESSION_NAME', 'session'),
  }
  if (names.cookieName === names.sessionName) {
    throw new ConfigInvalid('COOKIE_NAME and SESSION_NAME must differ.')
  }
  return names
}
