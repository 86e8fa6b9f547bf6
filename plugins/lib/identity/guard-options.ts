import type { Identity, ModeName } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import { ownPath } from '../http/safe-next.js'
import { checkSeconds, type Known, refuseUnknown } from '../options.js'
import { checkScopes } from './scopes.js'
import type { OnRefused } from './search.js'

/** All conditions of one guard must be met. */
export interface GuardOptions {
  /**
   * Admits a request without a caller; `request.identityOrNull` is then null. Also admits a request with a refused
   * cookie, which browsers send by themselves; `request.refusedWith` has the reason. A bad token is still refused,
   * because a client sends it on purpose.
   */
  readonly optional?: boolean
  /** One of these roles (`ROLE_REQUIRED`, 403). */
  readonly role?: string | readonly string[]
  /** All of these scopes (`SCOPE_REQUIRED`, 403). Only an API key lacks any: other modes have all scopes. */
  readonly scope?: string | readonly string[]
  /**
   * How many factors the sign-in must have (`FACTOR_REQUIRED`, 403): 1 or 2. A passkey counts as two, every other method
   * as one. An API key has none.
   */
  readonly factors?: 1 | 2
  /**
   * The maximum age of the sign-in in seconds (`SIGN_IN_TOO_OLD`, 403); `true` is ten minutes. The guard
   * needs as many factors as `factors` says, or one; two if `app.secondFactors` says that the account has a second factor.
   * All of these must be that recent. Only a step-up resets the age: renewals and refreshes do not. An API key never passes.
   */
  readonly fresh?: true | number
  /**
   * `now`: a sign-in that is bound to a device needs a proof that is at most a minute old (`DEVICE_PROOF_REQUIRED`,
   * 403). For routes that give something that lasts, such as an API key. The browser is redirected once to the same
   * address (307), with `device_proof=asked` in the query, which the guard removes. Use the guard as `onRequest`, so
   * that no body is parsed before. A sign-in that is not bound passes. Needs `deviceBinding`.
   */
  readonly proof?: 'now'
  /** Only these modes are asked. A caller of another mode, from an earlier guard, is refused (`MODE_REQUIRED`, 403). */
  readonly modes?: readonly ModeName[]
  /** Overrides the suite's setting, and the effect of `optional` on a refused credential. */
  readonly onRefused?: OnRefused
  /**
   * A rule of the application, checked after all others. Only `true` admits the caller (`NOT_ALLOWED`, 403). It must
   * answer at once: a promise or an error is a 500. For a lookup, add a hook after the guard.
   */
  readonly allow?: (identity: Identity) => boolean
  /**
   * The path of a login page. A navigation (a GET that accepts HTML) without a caller is redirected there (303) with
   * `?next=`, which `app.safeNext` reads. Every other refusal stays an error.
   */
  readonly loginPage?: string
}

/** Checked. null: no such condition. */
export interface GuardRules {
  readonly optional: boolean
  readonly roles: readonly string[] | null
  readonly scopes: readonly string[] | null
  readonly modes: readonly ModeName[] | null
  readonly factors: 1 | 2 | null
  /** The age of a sign-in, in ms. */
  readonly ageMax: number | null
  readonly isProofFresh: boolean
  /** undefined: the suite's setting. */
  readonly onRefused: OnRefused | undefined
  readonly allow: ((identity: Identity) => unknown) | null
  readonly loginPage: string | null
}

const KNOWN: Known<GuardOptions> = {
  optional: true,
  role: true,
  scope: true,
  factors: true,
  fresh: true,
  proof: true,
  modes: true,
  onRefused: true,
  allow: true,
  loginPage: true,
}

/** In seconds. */
const FRESH_FOR = 600

/** @throws OPTION_INVALID */
export function checkOnRefused(value: OnRefused): OnRefused {
  if (value !== 'stop' && value !== 'next') throw new OptionInvalid('onRefused', 'wants "stop" or "next"')
  return value
}

/**
 * An empty list would refuse everybody, and an undefined one (a missing setting) would admit everybody: both are
 * mistakes.
 */
function checkNames<N extends string>(option: string, names: unknown, given: readonly N[]): readonly N[] {
  const isList = Array.isArray(names) && names.length > 0
  if (!isList || names.some((name) => typeof name !== 'string' || name === '')) {
    throw new OptionInvalid(option, 'wants at least one name')
  }
  return Object.freeze([...given])
}

function rolesOf(options: GuardOptions): readonly string[] | null {
  if (!('role' in options)) return null
  const roles = Array.isArray(options.role) ? options.role : [options.role]
  return checkNames<string>('role', roles, roles)
}

function scopesOf(options: GuardOptions): readonly string[] | null {
  if (!('scope' in options)) return null
  const scopes = Array.isArray(options.scope) ? options.scope : [options.scope]
  return checkScopes('scope', checkNames<string>('scope', scopes, scopes))
}

function modesOf(options: GuardOptions): readonly ModeName[] | null {
  return 'modes' in options ? checkNames('modes', options.modes, options.modes ?? []) : null
}

/** An undefined one would admit everybody. */
function factorsOf(options: GuardOptions): 1 | 2 | null {
  if (!('factors' in options)) return null
  const { factors } = options
  if (factors !== 1 && factors !== 2) throw new OptionInvalid('factors', 'wants 1 or 2')
  return factors
}

function ageMaxOf(options: GuardOptions): number | null {
  if (!('fresh' in options)) return null
  const { fresh = 0 } = options
  return 1000 * checkSeconds('fresh', fresh === true ? FRESH_FOR : fresh)
}

/** An undefined rule would admit everybody. */
function allowOf(options: GuardOptions): GuardRules['allow'] {
  if (!('allow' in options)) return null
  const { allow } = options
  if (typeof allow !== 'function' || allow.constructor.name === 'AsyncFunction') {
    throw new OptionInvalid('allow', 'wants a function that answers true or false at once')
  }
  return allow
}

/** An undefined one would admit everybody with a copied proof. */
function isProofFreshOf(options: GuardOptions): boolean {
  if (!('proof' in options)) return false
  if (options.proof !== 'now') throw new OptionInvalid('proof', 'wants "now"')
  return true
}

function loginPageOf(options: GuardOptions): string | null {
  if (!('loginPage' in options)) return null
  const { loginPage } = options
  if (loginPage === undefined || ownPath(loginPage) !== loginPage || loginPage.includes('#')) {
    throw new OptionInvalid('loginPage', 'wants a path of this server, such as /login')
  }
  return loginPage
}

/** @throws OPTION_INVALID also for a misspelt option: `roles` would admit everybody who is signed in */
export function checkGuardOptions(options: GuardOptions): GuardRules {
  refuseUnknown(options, KNOWN, [])
  const { optional = false, onRefused } = options
  if (typeof optional !== 'boolean') throw new OptionInvalid('optional', 'wants true or false')
  return Object.freeze({
    optional,
    roles: rolesOf(options),
    scopes: scopesOf(options),
    modes: modesOf(options),
    factors: factorsOf(options),
    ageMax: ageMaxOf(options),
    isProofFresh: isProofFreshOf(options),
    onRefused: onRefused === undefined ? undefined : checkOnRefused(onRefused),
    allow: allowOf(options),
    loginPage: loginPageOf(options),
  })
}
