import type { Identity, ModeName } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import { ownPath } from '../http/safe-next.js'
import { checkSeconds, type Known, refuseUnknown } from '../options.js'
import type { OnRefused } from './search.js'

/** All conditions of one guard must be met. */
export interface GuardOptions {
  /**
   * Lets a request without a caller pass: `request.identityOrNull` is null then. It also passes with a refused credential
   * that a browser sends by itself, and `request.refusedWith` says why that was refused. A credential that a client sends
   * on purpose (a token) stays refused.
   */
  readonly optional?: boolean
  /** One of these roles (`ROLE_REQUIRED`, 403). */
  readonly role?: string | readonly string[]
  /**
   * The password was given at most so many seconds ago (`SIGN_IN_TOO_OLD`, 403); `true` is ten minutes. No renewal
   * and no refresh makes a sign-in younger.
   */
  readonly fresh?: true | number
  /** Only these modes are asked; one that recognised the caller before must be among them (`MODE_REQUIRED`, 403). */
  readonly modes?: readonly ModeName[]
  /** Overrides the suite's setting for this guard, and what `optional` does with a refused credential. */
  readonly onRefused?: OnRefused
  /**
   * A rule of the application, asked after all others. Only `true` lets the caller pass (`NOT_ALLOWED`, 403). It answers
   * at once: a promise, or an error, is a 500. A rule that needs a lookup is a hook behind the guard.
   */
  readonly allow?: (identity: Identity) => boolean
  /**
   * The path of a login page. A navigation (a GET that accepts HTML) whose caller nobody recognised is redirected there
   * (303) with `?next=`, which `app.safeNext` reads. Every other refusal stays an error.
   */
  readonly loginPage?: string
}

/** The same, copied and checked. null: not asked for. */
export interface GuardRules {
  readonly optional: boolean
  readonly roles: readonly string[] | null
  readonly modes: readonly ModeName[] | null
  /** The age of a sign-in, in ms. */
  readonly ageMax: number | null
  /** undefined: as the suite has it. */
  readonly onRefused: OnRefused | undefined
  readonly allow: ((identity: Identity) => unknown) | null
  readonly loginPage: string | null
}

const KNOWN: Known<GuardOptions> = {
  optional: true,
  role: true,
  fresh: true,
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
 * A list of names. An empty list would refuse everybody. An undefined one (a setting that was never made) would admit
 * everybody. Both are mistakes.
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

function modesOf(options: GuardOptions): readonly ModeName[] | null {
  return 'modes' in options ? checkNames('modes', options.modes, options.modes ?? []) : null
}

/** Undefined, a setting that was never made, is a mistake here too. */
function ageMaxOf(options: GuardOptions): number | null {
  if (!('fresh' in options)) return null
  const { fresh = 0 } = options
  return 1000 * checkSeconds('fresh', fresh === true ? FRESH_FOR : fresh)
}

/** Undefined, a rule that was never made, would let everybody pass. */
function allowOf(options: GuardOptions): GuardRules['allow'] {
  if (!('allow' in options)) return null
  const { allow } = options
  if (typeof allow !== 'function' || allow.constructor.name === 'AsyncFunction') {
    throw new OptionInvalid('allow', 'wants a function that answers true or false at once')
  }
  return allow
}

function loginPageOf(options: GuardOptions): string | null {
  if (!('loginPage' in options)) return null
  const { loginPage } = options
  if (loginPage === undefined || ownPath(loginPage) !== loginPage || loginPage.includes('#')) {
    throw new OptionInvalid('loginPage', 'wants a path of this server, such as /login')
  }
  return loginPage
}

/**
 * A guard's options, copied and frozen. A misspelt one (`roles`) is refused: it would let in everybody
 * who is signed in.
 * @throws OPTION_INVALID
 */
export function checkGuardOptions(options: GuardOptions): GuardRules {
  refuseUnknown(options, KNOWN, [])
  const { optional = false, onRefused } = options
  if (typeof optional !== 'boolean') throw new OptionInvalid('optional', 'wants true or false')
  return Object.freeze({
    optional,
    roles: rolesOf(options),
    modes: modesOf(options),
    ageMax: ageMaxOf(options),
    onRefused: onRefused === undefined ? undefined : checkOnRefused(onRefused),
    allow: allowOf(options),
    loginPage: loginPageOf(options),
  })
}
