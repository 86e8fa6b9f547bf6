import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ProofNonceRequired, Throttled } from '../errors.js'
import { clientAddress } from '../http/client-address.js'
import type { Device } from './device-cookie.js'
import type { FailoverSteps } from './failover.js'
import {
  type Demand,
  forgetFailures,
  type HeldAttempt,
  holdAttempt,
  type LimitWait,
  waitOf,
} from './held-attempt.js'
import type { ThrottleSettings } from './options.js'
import type { Subjects } from './subjects.js'

export interface LimitsParts {
  readonly app: FastifyInstance
  readonly settings: ThrottleSettings
  readonly steps: FailoverSteps
  readonly subjects: Subjects
}

/** The kind of attempt, and the account if a credential names it: a typed name proves no account. */
export interface About {
  readonly what: string
  readonly accountId: string | null
}

/** Limits, checked in this order. See `holdAttempt`. */
export type DemandGroups = readonly (readonly Demand[])[]

/** Whether the error counts as a failed attempt. Faults of the server and a missing nonce do not. */
export function isFailedAttempt(error: unknown): boolean {
  if (error instanceof ProofNonceRequired) return false
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' && status < 500
}

/** If the work fails, counts the attempt or gives it back. */
export async function orSettle<T>(attempt: HeldAttempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await (isFailedAttempt(error) ? attempt.fail() : attempt.giveBack())
    throw error
  }
}

/** The limits of a request. */
export class Limits {
  constructor(private readonly parts: LimitsParts) {}

  address(request: FastifyRequest): Demand {
    const { settings, subjects } = this.parts
    return { by: 'address', rule: settings.address, subject: subjects.address(clientAddress(request)) }
  }

  /** A known device has a counter of its own, which nobody else can fill. */
  ofName(request: FastifyRequest, username: string, device: Device | null): DemandGroups {
    const { settings, subjects } = this.parts
    const rule = settings.account
    if (device) return [[{ by: 'device', rule, subject: subjects.device(device.id) }]]
    const account: Demand = { by: 'account', rule, subject: subjects.account(username) }
    const inPair = subjects.pair(username, clientAddress(request))
    const pair: Demand = { by: 'pair', rule: settings.pair, subject: inPair }
    return [[this.address(request)], [account, pair]]
  }

  /**
   * For the second factor of an account. Sign-ins, step-ups and resets share one count.
   * @param device has its own counter only if it signed in with two factors before
   */
  ofFactor(request: FastifyRequest, accountId: string, device: Device | null): DemandGroups {
    const { settings, subjects } = this.parts
    const rule = settings.factor
    if (device?.hasTwoFactors && device.accountId === accountId)
      return [[{ by: 'device', rule, subject: subjects.factorDevice(device.id) }]]
    const account: Demand = { by: 'account', rule, subject: subjects.factor(accountId) }
    return [[this.address(request)], [account]]
  }

  /** Forgets failed passwords of an account or a device. Keeps those of the address. Never throws. */
  forgetName(request: FastifyRequest, username: string, device: Device | null): Promise<void> {
    const demands = this.ofName(request, username, device).flat()
    return forgetFailures(
      this.#counters,
      demands.filter(({ by }) => by !== 'address'),
    )
  }

  /** @throws THROTTLED */
  async hold(request: FastifyRequest, groups: DemandGroups, about: About): Promise<HeldAttempt> {
    const outcome = await holdAttempt(this.#counters, groups)
    return 'retryAfter' in outcome ? this.#refuse(request, outcome, about) : outcome
  }

  /** Counts nothing. @throws THROTTLED if no attempt is left */
  async check(request: FastifyRequest, demand: Demand, about: About): Promise<void> {
    const wait = await waitOf(this.#counters, demand)
    if (wait) this.#refuse(request, wait, about)
  }

  /** Counts nothing if other attempts have used up the limit meanwhile. */
  async countFailure(demand: Demand): Promise<void> {
    const outcome = await holdAttempt(this.#counters, [[demand]])
    if (!('retryAfter' in outcome)) await outcome.fail()
  }

  get #counters() {
    const { steps, app } = this.parts
    return { steps, clock: app.identityClock }
  }

  /** @throws THROTTLED */
  #refuse(request: FastifyRequest, { by, retryAfter }: LimitWait, about: About): never {
    this.parts.app.audit.emit({ type: 'throttled', ...about, by }, request)
    throw new Throttled(retryAfter)
  }
}
