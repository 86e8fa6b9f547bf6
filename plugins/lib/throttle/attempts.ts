import type { FastifyInstance, FastifyRequest } from 'fastify'
import { clientAddress } from '../client-address.js'
import type { AuthModes, Identity, ModeName, SignInOptions } from '../contract.js'
import { CredentialsRefused, Throttled } from '../errors.js'
import type { Device, DeviceCookie } from './device-cookie.js'
import type { FailoverCounters } from './failover.js'
import { type Demand, type HeldAttempt, holdAttempt } from './held-attempt.js'
import type { ThrottleSettings } from './options.js'
import type { Subjects } from './subjects.js'
import { UnderWay } from './under-way.js'

/** What somebody types to sign in. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/**
 * Attempts that are counted before anything is verified. A failed one stays counted; one that the hash queue shed
 * or a store's fault ended (any error of status 500 or more) was none. All throw THROTTLED where no attempt is
 * left, with `Retry-After`, and the same whether or not there is an account.
 */
export interface Throttle {
  /**
   * Signs in whoever gives the right password, by the application's account source. Granted, it resets what was
   * counted against the account; by a mode of ambient authority it leaves a device cookie as well.
   * @throws THROTTLED, CREDENTIALS_REFUSED, and what the account source and `request.signIn` throw
   */
  signIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    credentials: Credentials,
    options?: SignInOptions,
  ): Promise<AuthModes[N]>
  /**
   * A password that somebody who is signed in gives once more. A right one resets nothing.
   * @param verify answers null for a wrong one
   */
  guess<T>(
    request: FastifyRequest,
    who: Pick<Identity, 'username' | 'accountId'>,
    verify: () => Promise<T | null>,
  ): Promise<T | null>
  /**
   * What names no account, counted by address: a refresh, a registration.
   * @param what a word for the audit event
   * @param counts `refusals`: errors of a status below 500 alone; `all`: what succeeds, too
   */
  byAddress<T>(
    request: FastifyRequest,
    what: string,
    work: () => Promise<T>,
    counts?: 'refusals' | 'all',
  ): Promise<T>
}

interface Parts {
  readonly app: FastifyInstance
  readonly settings: ThrottleSettings
  readonly counters: FailoverCounters
  readonly subjects: Subjects
  readonly devices: DeviceCookie
}

/** Who an attempt is about, as far as a credential says: a name that was typed says nothing. */
interface About {
  readonly what: string
  readonly accountId: string | null
}

/** The client's doing, and not ours. */
function isRefused(error: unknown): boolean {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' && status < 500
}

export class Attempts implements Throttle {
  readonly #underWay: UnderWay

  constructor(private readonly parts: Parts) {
    this.#underWay = new UnderWay(() => parts.app.accountSource.isBusy?.() ?? false)
  }

  signIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    credentials: Credentials,
    options?: SignInOptions,
  ): Promise<AuthModes[N]> {
    return this.#underWay.run(() => this.#signIn(request, mode, credentials, options))
  }

  guess<T>(
    request: FastifyRequest,
    who: Pick<Identity, 'username' | 'accountId'>,
    verify: () => Promise<T | null>,
  ): Promise<T | null> {
    return this.#underWay.run(() => this.#guess(request, who, verify))
  }

  async #signIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    credentials: Credentials,
    options?: SignInOptions,
  ): Promise<AuthModes[N]> {
    const { app, devices } = this.parts
    const isAmbient = app.authModes.get(mode).ambient
    // From a body that nobody validated, or that never came. There is nothing to verify, and nothing to count.
    const { username, password }: Partial<Credentials> = credentials ?? {}
    if (typeof username !== 'string' || typeof password !== 'string') throw new CredentialsRefused()
    const device = await devices.recognise(request, username)
    const attempt = await this.#holdAtName(request, username, device, {
      what: 'sign_in',
      accountId: device?.accountId ?? null,
    })
    const { account, issued } = await this.#orSettle(attempt, async () => {
      const account = await app.accountSource.verify(username, password)
      if (!account) {
        app.audit.emit({ type: 'sign_in_refused', mode, reason: 'credentials' }, request)
        throw new CredentialsRefused()
      }
      return { account, issued: await request.signIn(mode, account, options) }
    })
    await attempt.grant()
    if (isAmbient) devices.remember(request, account, username, device)
    return issued
  }

  async #guess<T>(
    request: FastifyRequest,
    { username, accountId }: Pick<Identity, 'username' | 'accountId'>,
    verify: () => Promise<T | null>,
  ): Promise<T | null> {
    const device = await this.parts.devices.recognise(request, username)
    const attempt = await this.#holdAtName(request, username, device, { what: 'password', accountId })
    const result = await this.#orSettle(attempt, verify)
    await (result === null ? attempt.fail() : attempt.giveBack())
    return result
  }

  async byAddress<T>(
    request: FastifyRequest,
    what: string,
    work: () => Promise<T>,
    counts: 'refusals' | 'all' = 'refusals',
  ): Promise<T> {
    const attempt = await this.#hold(request, [[this.#address(request)]], { what, accountId: null })
    const result = await this.#orSettle(attempt, work)
    await (counts === 'all' ? attempt.fail() : attempt.giveBack())
    return result
  }

  /** A device that is known has a count of its own, which nobody else can fill. */
  #holdAtName(
    request: FastifyRequest,
    username: string,
    device: Device | null,
    about: About,
  ): Promise<HeldAttempt> {
    const { settings, subjects } = this.parts
    const account: Demand = device
      ? { by: 'device', rule: settings.account, subject: subjects.device(device.id) }
      : { by: 'account', rule: settings.account, subject: subjects.account(username) }
    if (device) return this.#hold(request, [[account]], about)
    const pair: Demand = {
      by: 'pair',
      rule: settings.pair,
      subject: subjects.pair(username, clientAddress(request)),
    }
    return this.#hold(request, [[this.#address(request)], [account, pair]], about)
  }

  #address(request: FastifyRequest): Demand {
    const { settings, subjects } = this.parts
    return { by: 'address', rule: settings.address, subject: subjects.address(clientAddress(request)) }
  }

  /** @throws THROTTLED */
  async #hold(
    request: FastifyRequest,
    groups: readonly (readonly Demand[])[],
    about: About,
  ): Promise<HeldAttempt> {
    const { app, counters } = this.parts
    const outcome = await holdAttempt({ counters, clock: app.identityClock }, groups)
    if (!('retryAfter' in outcome)) return outcome
    app.audit.emit({ type: 'throttled', ...about, by: outcome.by }, request)
    throw new Throttled(outcome.retryAfter)
  }

  async #orSettle<T>(attempt: HeldAttempt, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      await (isRefused(error) ? attempt.fail() : attempt.giveBack())
      throw error
    }
  }
}
