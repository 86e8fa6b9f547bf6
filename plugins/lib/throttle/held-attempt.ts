import type { Clock } from '../contract.js'
import type { FailoverSteps } from './failover.js'
import { findRefusal, isRefusal, type Refusal, type Reservation, reserve } from './limit.js'
import type { LimitRule } from './rounds.js'
import type { Steps } from './steps.js'

/** By what an attempt is counted: who is asked for, who asks, both together, or a device that is known. */
export type CountedBy = 'account' | 'address' | 'pair' | 'device'

/** One limit that an attempt is subject to. */
export interface Demand {
  readonly by: CountedBy
  readonly rule: LimitRule
  /** Names the counter. It says nothing of the name or address that it was made from. */
  readonly subject: string
}

/** No attempt is left, for so many seconds. */
export interface Refused extends Refusal {
  readonly by: CountedBy
}

/** An attempt that may be made, and is counted until it is settled. Settling never throws. */
export interface HeldAttempt {
  /** The guess was wrong. */
  fail(): Promise<void>
  /** There was no guess: it was shed, or a store failed. Or there was a right one that grants no sign-in. */
  giveBack(): Promise<void>
  /** A sign-in was granted: the account's counters start anew, the address gets back this attempt and no more. */
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
 * Takes an attempt at every limit, or at none. The groups are asked one after the other, so that an address
 * without attempts left makes no counters for the names that it goes through.
 */
export async function holdAttempt(
  parts: Parts,
  groups: readonly (readonly Demand[])[],
): Promise<HeldAttempt | Refused> {
  const outcome = await parts.steps.use((steps) => holdAll(steps, groups, parts.clock()))
  return Array.isArray(outcome) ? new Settling(parts, outcome) : outcome
}

/** Whether an attempt would be refused. None is taken. */
export async function refusalOf({ steps, clock }: Parts, demand: Demand): Promise<Refused | null> {
  const { by, rule, subject } = demand
  const refusal = await steps.use((each) => findRefusal(each, rule, subject, clock()))
  return refusal && { by, ...refusal }
}

async function holdAll(
  steps: Steps,
  groups: readonly (readonly Demand[])[],
  now: number,
): Promise<Held[] | Refused> {
  const held: Held[] = []
  try {
    for (const demands of groups) {
      const refused = await holdGroup(steps, demands, now, held)
      if (refused === null) continue
      await Promise.all(held.map(({ reservation }) => reservation.giveBack()))
      return refused
    }
    return held
  } catch (fault) {
    // As far as the store lets us, and without waiting for it: the attempt goes on elsewhere.
    for (const { reservation } of held) reservation.giveBack().catch(() => {})
    throw fault
  }
}

/** @returns the refusal that lasts longest, where there is one */
async function holdGroup(
  steps: Steps,
  demands: readonly Demand[],
  now: number,
  held: Held[],
): Promise<Refused | null> {
  let longest: Refused | null = null
  const hold = async ({ by, rule, subject }: Demand) => {
    const outcome = await reserve(steps, rule, subject, now)
    if (!isRefusal(outcome)) held.push({ by, reservation: outcome })
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

  /** What was decided stands, whether or not the store can be told. */
  async #settle(settle: (held: Held) => Promise<void>): Promise<void> {
    const noteFault = (error: unknown) => this.parts.steps.noteFault(error)
    await Promise.all(this.held.map((held) => settle(held).catch(noteFault)))
  }
}
