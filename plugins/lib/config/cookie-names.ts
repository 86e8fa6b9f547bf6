import { ConfigInvalid } from '../errors.js'
import { isCookieName } from '../http/cookies.js'
import { type Environment, text } from './values.js'

/** The names of the user center's cookies, without the `__Host-` prefix. */
export interface CookieNames {
  readonly cookieName: string
  readonly sessionName: string
}

/** Names of other cookies that the server sets or reserves: `<name>_proof` belongs to the cookie `<name>`. */
const RESERVED = /^(device|refresh|pending|.*_proof)$/

/** @throws CONFIG_INVALID for a name that browsers refuse, or that of another cookie of the server */
export function readCookieName(env: Environment, variable: string, fallback: string): string {
  const name = text(env, variable, fallback)
  if (!isCookieName(name)) {
    throw new ConfigInvalid(
      `${variable} must be the name of a cookie, without a prefix such as __Host- or __Secure-.`,
    )
  }
  if (RESERVED.test(name))
    throw new ConfigInvalid(`${variable} must not be the name of another cookie of the server.`)
  return name
}
