import type { Identity } from '../contract.js'
import { OptionInvalid } from '../errors.js'

const AT_ONCE = 'must answer true or false at once, and throw nothing'

/** Only `true` counts: a promise is truthy, whatever its outcome. @throws OPTION_INVALID */
export function isAllowed(allow: (identity: Identity) => unknown, identity: Identity): boolean {
  let answer: unknown
  try {
    answer = allow(identity)
  } catch (cause) {
    throw new OptionInvalid('allow', AT_ONCE, { cause })
  }
  if (typeof answer !== 'object' || answer === null || !('then' in answer)) return answer === true
  // An unhandled rejection would end the process.
  Promise.resolve(answer).catch(() => {})
  throw new OptionInvalid('allow', AT_ONCE)
}
