import type { Clock, GivenFactor } from '../contract.js'
import { readFactors } from '../credentials/given-factors.js'
import { Newest } from '../newest.js'
import type { SignInRecord } from '../stores/contract.js'
import type { CookiePayload } from './seal.js'

/** How long a request with the cookie from before a step-up may be under way, in ms. */
const UNDER_WAY = 60_000
/** About 100 bytes each. A step-up beyond the bound may be undone by the late answer to another request. */
const MAX = 100_000

/** When a sign-in's newest factor was given, in ms. */
function newestOf(factors: readonly GivenFactor[] = []): number {
  return Math.max(0, ...factors.map(({ at }) => at))
}

/**
 * Keeps renewals from undoing a step-up. When a stronger cookie is issued, another request of the browser may be under way
 * with the weak one. Its answer must not set that again. Later, whoever still has the weak cookie keeps it.
 */
export class StepUps {
  /** By sign-in: the time (ms) of the newest factor that this process has added. */
  readonly #newest = new Newest<string, number>(MAX)

  constructor(private readonly clock: Clock) {}

  note({ id, factors }: SignInRecord): void {
    this.#newest.set(id, newestOf(factors))
  }

  /** Whether this process has just issued a stronger cookie. */
  haveOvertaken(payload: CookiePayload): boolean {
    return this.#isOld(payload, this.#newest.get(payload.sid) ?? 0)
  }

  /** Whether any process has, by the sign-in's record. */
  haveOvertakenBy(payload: CookiePayload, { factors }: SignInRecord): boolean {
    return this.#isOld(payload, newestOf(factors))
  }

  #isOld({ fac, auth_time }: CookiePayload, newest: number): boolean {
    const own = newestOf(readFactors(fac, auth_time * 1000))
    return newest > own && Math.abs(this.clock() - newest) < UNDER_WAY
  }
}
