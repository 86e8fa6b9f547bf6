import type { Identity } from '../contract.js'
import { OptionInvalid, ScopeRequired } from '../errors.js'

/** A scope-token of RFC 6749 §3.3, which a challenge can quote as it is. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/
const SCOPES_MAX = 32

/**
 * A copy without repetitions.
 * @throws OPTION_INVALID
 */
export function checkScopes(option: string, scopes: readonly string[]): readonly string[] {
  const isList = Array.isArray(scopes) && scopes.length <= SCOPES_MAX
  if (!isList || scopes.some((scope) => typeof scope !== 'string' || !SCOPE.test(scope))) {
    throw new OptionInvalid(
      option,
      `wants at most ${SCOPES_MAX} scopes of 1 to 64 visible ASCII characters, without quotes and backslashes`,
    )
  }
  return Object.freeze([...new Set(scopes)])
}

/**
 * Refuses a caller whose credential lacks one of the scopes. A caller without `scopes` has all of them: somebody who signed
 * in with a password can do what the account may.
 * @throws SCOPE_REQUIRED with the challenge of RFC 6750 §3.1
 */
export function requireScopes({ scopes: own }: Identity, scopes: readonly string[]): void {
  if (own === undefined || scopes.every((scope) => own.includes(scope))) return
  const challenge = `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"`
  throw Object.assign(new ScopeRequired(), { headers: { 'www-authenticate': challenge } })
}
