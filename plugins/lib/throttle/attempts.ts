import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AuthModes, Identity, ModeName, SignInOptions } from '../contract.js'
import { CredentialsRefused, ProofNonceRequired, Throttled } from '../errors.js'
import { clientAddress } from '../http/client-address.js'
import type { AddressCount, Credentials, Throttle } from './contract.js'
import type { Device, DeviceCookie } from './device-cookie.js'
import type { FailoverSteps } from './failover.js'
import { type Demand, type HeldAttempt, holdAttempt, type Refused, refusalOf } from './held-attempt.js'
import type { ThrottleSettings } from './options.js'
import type { Subjects } from './subjects.js'
import { UnderWay } from './under-way.js'

interface Parts {
  readonly app: FastifyInstance
  readonly settings: ThrottleSettings
  readonly steps: FailoverSteps
  readonly subjects: Subjects
  readonly devices: DeviceCookie
}

/** The subject of an attempt. Only a credential proves an account id: a typed name does not. */
interface About {
  readonly what: string
  readonly accountId: string | null
}

/** Whether the error counts as an attempt of the client. A fault of the server does not, nor does a missing nonce. */
function isRefused(error: unknown): boolean {
  if (error instanceof ProofNonceRequired) return false
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
    const { app, devices } = this.parts
    return this.#underWay.run(async () => {
      const asked = app.authModes.get(mode)
      // The body may be missing or not validated. Then there is nothing to verify and nothing to count.
      const { username, password }: Partial<Credentials> = credentials ?? {}
      if (typeof username !== 'string' || typeof password !== 'string') throw new CredentialsRefused()
      asked.precheck?.(request)
      const device = await devices.recognise(request, username)
      const about = { what: 'sign_in', accountId: device?.accountId ?? null }
      const attempt = await this.#holdAtName(request, username, device, about)
      const { account, issued } = await this.#orSettle(attempt, async () => {
        const account = await app.accountSource.verify(username, password)
        if (!account) {
          app.audit.emit({ type: 'sign_in_refused', mode, reason: 'credentials' }, request)
          throw new CredentialsRefused()
        }
        return { account, issued: await request.signIn(mode, account, options) }
      })
      await attempt.grant()
      if (asked.ambient) devices.remember(request, account, username, device)
      return issued
    })
  }

  async knowsDevice(request: FastifyRequest, username: string): Promise<boolean> {
    return (await this.parts.devices.recognise(request, username)) !== null
  }

  guess<T>(
    request: FastifyRequest,
    { username, accountId }: Pick<Identity, 'username' | 'accountId'>,
    verify: () => Promise<T | null>,
  ): Promise<T | null> {
    return this.#underWay.run(async () => {
      const device = await this.parts.devices.recognise(request, username)
      const attempt = await this.#holdAtName(request, username, device, { what: 'password', accountId })
      const result = await this.#orSettle(attempt, verify)
      await (result === null ? attempt.fail() : attempt.giveBack())
      return result
    })
  }

  async byAddress<T>(
    request: FastifyRequest,
    what: string,
    work: () => Promise<T>,
    counts: AddressCount = 'refusals',
  ): Promise<T> {
    const about = { what, accountId: null }
    const demand = this.#address(request)
    if (counts === 'afterwards') return this.#countAfterwards(request, demand, about, work)
    const attempt = await this.#hold(request, [[demand]], about)
    const result = await this.#orSettle(attempt, work)
    await (counts === 'all' ? attempt.fail() : attempt.giveBack())
    return result
  }

  async #countAfterwards<T>(
    request: FastifyRequest,
    demand: Demand,
    about: About,
    work: () => Promise<T>,
  ): Promise<T> {
    const refusal = await refusalOf(this.#limits, demand)
    if (refusal) this.#refuse(request, refusal, about)
    try {
      return await work()
    } catch (error) {
      if (isRefused(error)) await this.#countFailure(demand)
      throw error
    }
  }

  /** Adds nothing if others have filled the round meanwhile. */
  async #countFailure(demand: Demand): Promise<void> {
    const outcome = await holdAttempt(this.#limits, [[demand]])
    if (!('retryAfter' in outcome)) await outcome.fail()
  }

  get #limits() {
    const { steps, app } = this.parts
    return { steps, clock: app.identityClock }
  }

  /** A known device has a counter of its own, which nobody else can fill. */
  #holdAtName(
    request: FastifyRequest,
    username: string,
    device: Device | null,
    about: About,
  ): Promise<HeldAttempt> {
    const { settings, subjects } = this.parts
    const rule = settings.account
    if (device) {
      return this.#hold(request, [[{ by: 'device', rule, subject: subjects.device(device.id) }]], about)
    }
    const account: Demand = { by: 'account', rule, subject: subjects.account(username) }
    const inPair = subjects.pair(username, clientAddress(request))
    const pair: Demand = { by: 'pair', rule: settings.pair, subject: inPair }
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
    const outcome = await holdAttempt(this.#limits, groups)
    return 'retryAfter' in outcome ? this.#refuse(request, outcome, about) : outcome
  }

  /** @throws THROTTLED */
  #refuse(request: FastifyRequest, { by, retryAfter }: Refused, about: About): never {
    this.parts.app.audit.emit({ type: 'throttled', ...about, by }, request)
    throw new Throttled(retryAfter)
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
