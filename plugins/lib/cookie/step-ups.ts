import type { Clock, GivenFactor } from '../contract.js'
import { readFactors } from '../credentials/given-factors.js'
import { Newest } from '../newest.js'
import type { SignInRecord } from '../stores/contract.js'
import type { CookiePayload } from './seal.js'

/** How long a request with the old cookie may take after a step-up, in ms. */
const UNDER_WAY = 60_000
/** About 100 bytes each. Beyond this number, the late answer to another request may undo a step-up. */
const MAX = 100_000

/** When a sign-in's newest factor was given, in ms. */
function newestOf(factors: readonly GivenFactor[] = []): number {
  return Math.max(0, ...factors.map(({ at }) => at))
}

/**
 * Keeps renewals from undoing a step-up. While a stronger cookie is issued, the browser may have sent another request with
 * the weak one. The answer to that request must not set the weak cookie again. Later, a client that still has the weak
 * cookie may renew it.
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
