import type { Clock } from '../contract.js'
import type { FailoverSteps } from './failover.js'
import { findWait, forget, isWait, type Limited, type Reservation, reserve, type Wait } from './limit.js'
import type { Steps } from './steps.js'

/** The subject that an attempt is counted by: account, client address, both together, or a known device. */
export type CountedBy = 'account' | 'address' | 'pair' | 'device'

/** One limit that an attempt is subject to. */
export interface Demand extends Limited {
  readonly by: CountedBy
}

/** The wait at one limit. */
export interface LimitWait extends Wait {
  readonly by: CountedBy
}

/** An attempt that may go on. It counts as failed until it is settled. Settling never throws. */
export interface HeldAttempt {
  /** The number of failures in a row of the account or the device, if this attempt fails too. */
  readonly failures: number
  /** The guess was wrong. */
  fail(): Promise<void>
  /** Nothing was guessed (shed, or a store failed), or the guess was right and grants no sign-in. */
  giveBack(): Promise<void>
  /** A sign-in was granted: the account's counters are reset; the address gets only this attempt back. */
  grant(): Promise<void>
}

interface Held {
  readonly by: CountedBy
  readonly reservation: Reservation
}

interface Parts {
  readonly steps: FailoverSteps
  readonly clock: Clock
}

/**
 * Takes an attempt at every limit, or at none. Groups are asked in order: an address without attempts left must not
 * create counters for the names that it tries.
 */
export async function holdAttempt(
  parts: Parts,
  groups: readonly (readonly Demand[])[],
): Promise<HeldAttempt | LimitWait> {
  const outcome = await parts.steps.use((steps) => holdAll(steps, groups, parts.clock()))
  return Array.isArray(outcome) ? new Settling(parts, outcome) : outcome
}

/** How long an attempt would have to wait; null if not at all. Takes nothing. */
export async function waitOf({ steps, clock }: Parts, demand: Demand): Promise<LimitWait | null> {
  const wait = await steps.use((each) => findWait(each, demand, clock()))
  return wait && { by: demand.by, ...wait }
}

/** Forgets the failures of an account or a device. Needs no attempt. Never throws. */
export async function forgetFailures({ steps }: Parts, demands: readonly Demand[]): Promise<void> {
  const noteFault = (error: unknown) => steps.noteFault(error)
  const work = (each: Steps) => Promise.all(demands.map((demand) => forget(each, demand)))
  await steps.use(work).catch(noteFault)
}

async function holdAll(
  steps: Steps,
  groups: readonly (readonly Demand[])[],
  now: number,
): Promise<Held[] | LimitWait> {
  const held: Held[] = []
  try {
    for (const demands of groups) {
      const wait = await holdGroup(steps, demands, now, held)
      if (wait === null) continue
      await Promise.all(held.map(({ reservation }) => reservation.giveBack()))
      return wait
    }
    return held
  } catch (fault) {
    // Without waiting, and even if the store fails: the attempt goes on with other counters.
    for (const { reservation } of held) reservation.giveBack().catch(() => {})
    throw fault
  }
}

/** @returns the longest wait, or null */
async function holdGroup(
  steps: Steps,
  demands: readonly Demand[],
  now: number,
  held: Held[],
): Promise<LimitWait | null> {
  let longest: LimitWait | null = null
  const hold = async (demand: Demand) => {
    const { by } = demand
    const outcome = await reserve(steps, demand, now)
    if (!isWait(outcome)) held.push({ by, reservation: outcome })
    else if (longest === null || outcome.retryAfter > longest.retryAfter) longest = { by, ...outcome }
  }
  const outcomes = await Promise.allSettled(demands.map(hold))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return longest
}

class Settling implements HeldAttempt {
  constructor(
    private readonly parts: Parts,
    private readonly held: readonly Held[],
  ) {}

  get failures(): number {
    const own = this.held.filter(({ by }) => by === 'account' || by === 'device')
    return Math.max(0, ...own.map(({ reservation }) => reservation.failures))
  }

  fail(): Promise<void> {
    const now = this.parts.clock()
    return this.#settle(({ reservation }) => reservation.fail(now))
  }

  giveBack(): Promise<void> {
    return this.#settle(({ reservation }) => reservation.giveBack())
  }

  grant(): Promise<void> {
    return this.#settle(({ by, reservation }) =>
      by === 'address' ? reservation.giveBack() : reservation.reset(),
    )
  }

  /** The decision stands even if the store cannot be told. */
  async #settle(settle: (held: Held) => Promise<void>): Promise<void> {
    const noteFault = (error: unknown) => this.parts.steps.noteFault(error)
    await Promise.all(this.held.map((held) => settle(held).catch(noteFault)))
  }
}
