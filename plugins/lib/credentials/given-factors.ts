import { OptionInvalid } from '../errors.js'

/**
 * A way to verify a person. `external`: another system, such as an identity provider, verified the person, and the
 * application vouches for this.
 */
export type FactorMethod = 'password' | 'totp' | 'passkey' | 'recovery_code' | 'external'

/** A factor that a person has given, and when. */
export interface GivenFactor {
  readonly method: FactorMethod
  /** In ms. */
  readonly at: number
}

interface Method {
  /** Stands for the method in a credential. In upper case, because times have digits and lower-case letters. */
  readonly letter: string
  /** A passkey is two factors: the device, and the finger, face or PIN that unlocks it. The suite always demands both. */
  readonly weight: 1 | 2
  /** The names for `amr` (RFC 8176 §2). */
  readonly amr: readonly string[]
}

/** Every list of factors has this order. */
const METHODS: Readonly<Record<FactorMethod, Method>> = {
  password: { letter: 'P', weight: 1, amr: ['pwd'] },
  external: { letter: 'X', weight: 1, amr: [] },
  totp: { letter: 'T', weight: 1, amr: ['otp'] },
  recovery_code: { letter: 'R', weight: 1, amr: ['otp'] },
  passkey: { letter: 'K', weight: 2, amr: ['pop', 'user'] },
}
const NAMES = Object.keys(METHODS).filter(isMethod)

/** The value of `acr` in a token (OpenID Connect Core §2), and of `acr_values` in a challenge (RFC 9470 §3). */
export const TWO_FACTORS = 'urn:fastify-identity:factors:2'
/** How far ahead the clock of another instance may be, in ms. */
const AHEAD_MAX = 300_000

function isMethod(name: unknown): name is FactorMethod {
  return typeof name === 'string' && Object.hasOwn(METHODS, name)
}

/** Whole seconds, as in credentials. So a factor does not change when it is written to one and read again. */
function secondsOf({ at }: GivenFactor): number {
  return Math.floor(at / 1000)
}

function checkFactor(given: FactorMethod | GivenFactor, now: number): GivenFactor {
  const { method, at }: Partial<GivenFactor> =
    typeof given === 'object' && given ? given : { method: given, at: now }
  if (!isMethod(method) || !Number.isFinite(at) || at === undefined || at < 0 || at > now + AHEAD_MAX) {
    throw new OptionInvalid(
      'factors',
      `wants ${NAMES.join(', ')}, alone or with the time (ms) at which it was given`,
    )
  }
  return { method, at: secondsOf({ method, at: Math.min(at, now) }) * 1000 }
}

/**
 * Checks the factors that an application passes. Each gets a time.
 * @param now in ms; the time for a factor that has none
 * @throws OPTION_INVALID also for an empty list
 */
export function checkFactors(
  factors: readonly (FactorMethod | GivenFactor)[],
  now: number,
): readonly GivenFactor[] {
  if (!Array.isArray(factors) || factors.length === 0)
    throw new OptionInvalid('factors', 'wants at least one')
  return mergeFactors(
    [],
    factors.map((given) => checkFactor(given, now)),
  )
}

/** Both lists in one: each method once, with its newest time. Frozen. */
export function mergeFactors(
  known: readonly GivenFactor[],
  given: readonly GivenFactor[],
): readonly GivenFactor[] {
  const all = [...known, ...given]
  return Object.freeze(
    NAMES.flatMap((method) => {
      const times = all.filter((factor) => factor.method === method).map(({ at }) => at)
      return times.length > 0 ? [Object.freeze({ method, at: Math.max(...times) })] : []
    }),
  )
}

/** The factors of a sign-in whose credential names none: from before 0.3, or by a password alone. @param authTime in ms */
export function passwordAt(authTime: number): readonly GivenFactor[] {
  return Object.freeze([Object.freeze({ method: 'password' as const, at: authTime })])
}

/**
 * The text for a credential: for each method a letter, and its time in seconds in base 36. Undefined for a password that
 * was given at the time of the sign-in. So most credentials do not grow, and earlier versions can read them.
 * @param authTime the time of the sign-in, in ms
 */
export function writeFactors(
  factors: readonly GivenFactor[] | undefined,
  authTime: number,
): string | undefined {
  const [first, ...more] = factors ?? []
  if (!first) return undefined
  const isPlain = more.length === 0 && first.method === 'password'
  if (isPlain && secondsOf(first) === Math.floor(authTime / 1000)) return undefined
  return [first, ...more]
    .map((factor) => `${METHODS[factor.method].letter}${secondsOf(factor).toString(36)}`)
    .join('')
}

/** 8 digits of base 36 are enough, and every such time fits into a `Date` (ECMA-262 §21.4.1.1). */
const PART = /([A-Z])([0-9a-z]{1,8})/g

/** @param text of `writeFactors` @param authTime in ms */
export function readFactors(text: string | undefined, authTime: number): readonly GivenFactor[] {
  if (text === undefined) return passwordAt(authTime)
  const given = [...text.matchAll(PART)].flatMap(([, letter, seconds = '']) => {
    const method = NAMES.find((name) => METHODS[name].letter === letter)
    return method ? [{ method, at: Number.parseInt(seconds, 36) * 1000 }] : []
  })
  return mergeFactors([], given)
}

/** Whether the text is one that `writeFactors` makes: known methods only, each once, in the right order. */
export function isFactorsText(text: unknown): text is string {
  return typeof text === 'string' && writeFactors(readFactors(text, -1), -1) === text
}

/** The number of factors that the list counts as. */
export function weightOf(factors: readonly GivenFactor[]): number {
  return factors.reduce((sum, { method }) => sum + METHODS[method].weight, 0)
}

/**
 * The time (ms) since which the sign-in has this many factors. Takes the newest factors until they are enough, and returns
 * the time of the oldest of these. So a password from today does not make a code from last month recent. Null if there are
 * too few.
 */
export function heldSince(factors: readonly GivenFactor[], weight: number): number | null {
  let missing = weight
  for (const { method, at } of [...factors].sort((one, other) => other.at - one.at)) {
    missing -= METHODS[method].weight
    if (missing <= 0) return at
  }
  return null
}

/** The claims of a token for other servers: `amr`, and for two factors `acr`. */
export function referencesOf(factors: readonly GivenFactor[]): {
  readonly amr?: string[]
  readonly acr?: string
} {
  const isTwo = weightOf(factors) >= 2
  const amr = [...new Set(factors.flatMap(({ method }) => METHODS[method].amr)), ...(isTwo ? ['mfa'] : [])]
  return { ...(amr.length > 0 && { amr }), ...(isTwo && { acr: TWO_FACTORS }) }
}
