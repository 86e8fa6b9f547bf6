import { OptionInvalid } from '../errors.js'
import { type CookieSpec, cookieSpec } from '../http/cookies.js'
import { checkSeconds, checkWhole, type Known, refuseUnknown } from '../options.js'
import type { LimitRule } from './rounds.js'

/** Limits are failed attempts, durations are seconds. */
export interface ThrottleOptions {
  /** For one account name, whether or not the account exists. Defaults to 10. */
  readonly accountLimit?: number
  /** Counted from the first failure. Defaults to 900. */
  readonly accountWindow?: number
  /** After `accountLimit` failures one attempt at a time is allowed, the first after this delay. Defaults to 60. */
  readonly firstDelay?: number
  /** Each further failure doubles the delay, up to this. Defaults to 900. */
  readonly longestDelay?: number
  /** The delays are forgotten after this long without an allowed attempt. Defaults to 9000. */
  readonly forgetAfter?: number
  /** For one address (IPv6: its /64), whatever the account. Defaults to 100. */
  readonly addressLimit?: number
  /** Defaults to 900. */
  readonly addressWindow?: number
  /** For one address at one account. Defaults to twice `accountLimit`, or `accountLimit` + 10 if that is more. */
  readonly pairLimit?: number
  /** Defaults to four times `accountWindow`. */
  readonly pairWindow?: number
  /** How long a device is recognised after a sign-in. Defaults to 7776000, 90 days. */
  readonly deviceTtl?: number
  /** The name of the device cookie, before the `__Host-` prefix. Defaults to `device`. */
  readonly deviceName?: string
  /** `Secure`, and the `__Host-` prefix. Defaults to true. */
  readonly secure?: boolean
}

export interface ThrottleSettings {
  readonly account: LimitRule
  readonly address: LimitRule
  readonly pair: LimitRule
  /** For the second factor of one account. */
  readonly factor: LimitRule
  readonly spec: CookieSpec
  readonly deviceTtl: number
}

const OPTIONS: Known<ThrottleOptions> = {
  accountLimit: true,
  accountWindow: true,
  firstDelay: true,
  longestDelay: true,
  forgetAfter: true,
  addressLimit: true,
  addressWindow: true,
  pairLimit: true,
  pairWindow: true,
  deviceTtl: true,
  deviceName: true,
  secure: true,
}

/** The maximum number of failures that a limit may allow. */
export const LIMIT_MAX = 1_000_000
/** A month: nobody should wait, or be remembered, for longer. */
const WINDOW_MAX = 31 * 24 * 3600
/** The longest that browsers keep a cookie (RFC 6265bis §5.5). */
const COOKIE_MAX = 400 * 24 * 3600

const checkLimit = (name: string, value: number) => checkWhole(name, value, 1, LIMIT_MAX)
const checkDuration = (name: string, value: number, most = WINDOW_MAX) => checkSeconds(name, value, 1, most)

function checkAccountRule(options: ThrottleOptions): LimitRule {
  const limit = checkLimit('accountLimit', options.accountLimit ?? 10)
  const window = checkDuration('accountWindow', options.accountWindow ?? 900)
  const longest = checkDuration('longestDelay', options.longestDelay ?? 900)
  const first = checkDuration('firstDelay', options.firstDelay ?? Math.min(60, longest))
  const forget = checkDuration('forgetAfter', options.forgetAfter ?? Math.max(9000, window))
  if (first > longest) throw new OptionInvalid('firstDelay', 'must not be longer than longestDelay')
  // Otherwise an attacker who waits for `forgetAfter` would get more attempts than the window allows.
  if (forget < window) throw new OptionInvalid('forgetAfter', 'must not be shorter than accountWindow')
  return Object.freeze({ limit, window, delays: Object.freeze({ first, longest, forget }) })
}

/** The second factor's durations are those of a password, times these. */
const FACTOR_WINDOWS = 96
const FACTOR_DELAYS = 4

/**
 * With the defaults: a window of a day, and delays of up to an hour. An attacker who knows the password can guess for
 * months, and a code of six digits is far easier to guess than a password.
 */
function factorRule({ limit, window, delays }: LimitRule): LimitRule {
  const first = delays?.first ?? window
  const longest = Math.min(FACTOR_DELAYS * (delays?.longest ?? window), WINDOW_MAX)
  const day = Math.min(FACTOR_WINDOWS * window, WINDOW_MAX)
  const forget = Math.max(day, delays?.forget ?? 0)
  return Object.freeze({ limit, window: day, delays: Object.freeze({ first, longest, forget }) })
}

/** More than the delays allow in the default windows, so that a person meets the delays first. */
function defaultPairLimit({ limit }: LimitRule): number {
  return Math.min(Math.max(2 * limit, limit + 10), LIMIT_MAX)
}

function checkPairRule(options: ThrottleOptions, account: LimitRule): LimitRule {
  const limit = checkLimit('pairLimit', options.pairLimit ?? defaultPairLimit(account))
  const window = checkDuration('pairWindow', options.pairWindow ?? 4 * account.window, 4 * WINDOW_MAX)
  const isGiven = options.pairLimit !== undefined || options.pairWindow !== undefined
  if (isGiven && limit * account.window >= account.limit * window) {
    throw new OptionInvalid('pairLimit', 'would do nothing: in pairWindow the account lets no more through')
  }
  return Object.freeze({ limit, window, delays: null })
}

/** @throws OPTION_INVALID naming the option and what it wants */
export function checkThrottle(options: ThrottleOptions): ThrottleSettings {
  refuseUnknown(options, OPTIONS)
  const account = checkAccountRule(options)
  const address = Object.freeze({
    limit: checkLimit('addressLimit', options.addressLimit ?? 100),
    window: checkDuration('addressWindow', options.addressWindow ?? 900),
    delays: null,
  })
  return Object.freeze({
    account,
    address,
    pair: checkPairRule(options, account),
    factor: factorRule(account),
    spec: cookieSpec(options.deviceName ?? 'device', options.secure ?? true),
    deviceTtl: checkDuration('deviceTtl', options.deviceTtl ?? 7_776_000, COOKIE_MAX),
  })
}
