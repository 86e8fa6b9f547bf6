import type { FastifyRequest } from 'fastify'
import type { Account, AuthModes, Identity, ModeName } from '../contract.js'
import { CredentialsRefused } from '../errors.js'
import { kAskFactor, type PasswordSignInOptions } from '../factors/hand-over.js'
import type { AddressCount, Credentials, Throttle } from './contract.js'
import type { DeviceCookie } from './device-cookie.js'
import type { Demand } from './held-attempt.js'
import { type About, isFailedAttempt, Limits, type LimitsParts, orSettle } from './limits.js'
import { UnderWay } from './under-way.js'

interface Parts extends LimitsParts {
  readonly devices: DeviceCookie
}

export class Attempts implements Throttle {
  readonly #underWay: UnderWay
  /** Does not depend on the hasher: a factor needs no hash. */
  readonly #guessingFactors = new UnderWay(() => false)
  readonly #limits: Limits

  constructor(private readonly parts: Parts) {
    this.#underWay = new UnderWay(() => parts.app.accountSource.isBusy?.() ?? false)
    this.#limits = new Limits(parts)
  }

  signIn<N extends ModeName>(
    request: FastifyRequest,
    mode: N,
    credentials: Credentials,
    options: PasswordSignInOptions = {},
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
      const demands = this.#limits.ofName(request, username, device)
      const attempt = await this.#limits.hold(request, demands, about)
      const account = await orSettle(attempt, () => this.#verify(request, mode, username, password))
      const step = { mode, account, username, options }
      const wanted = await orSettle(attempt, async () => app[kAskFactor]?.(request, step) ?? null)
      if (wanted) {
        // The sign-in is not finished. So no count is reset, and the device does not become a known one.
        await attempt.giveBack()
        throw wanted
      }
      const issued = await orSettle(attempt, () => request.signIn(mode, account, options))
      await attempt.grant()
      if (asked.ambient) devices.remember(request, account, username, device, false)
      return issued
    })
  }

  /** @throws CREDENTIALS_REFUSED */
  async #verify(
    request: FastifyRequest,
    mode: ModeName,
    username: string,
    password: string,
  ): Promise<Account> {
    const { app } = this.parts
    const account = await app.accountSource.verify(username, password)
    if (account) return account
    app.audit.emit({ type: 'sign_in_refused', mode, reason: 'credentials' }, request)
    throw new CredentialsRefused()
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
      const demands = this.#limits.ofName(request, username, device)
      const attempt = await this.#limits.hold(request, demands, { what: 'password', accountId })
      const result = await orSettle(attempt, verify)
      await (result === null ? attempt.fail() : attempt.giveBack())
      return result
    })
  }

  guessFactor<T>(
    request: FastifyRequest,
    { id, username }: Pick<Account, 'id' | 'username'>,
    verify: (failures: number) => Promise<T | null>,
  ): Promise<T | null> {
    return this.#guessingFactors.run(async () => {
      const device = await this.parts.devices.recognise(request, username)
      const demands = this.#limits.ofFactor(request, id, device)
      const attempt = await this.#limits.hold(request, demands, { what: 'factor', accountId: id })
      const result = await orSettle(attempt, () => verify(attempt.failures))
      await (result === null ? attempt.fail() : attempt.grant())
      return result
    })
  }

  async noteSignIn(
    request: FastifyRequest,
    mode: ModeName,
    account: Account,
    username: string,
  ): Promise<void> {
    const { app, devices } = this.parts
    const device = await devices.recognise(request, username).catch(() => null)
    await this.#limits.forgetName(request, username, device)
    if (app.authModes.get(mode).ambient) devices.remember(request, account, username, device, true)
  }

  async byAddress<T>(
    request: FastifyRequest,
    what: string,
    work: () => Promise<T>,
    counts: AddressCount = 'refusals',
  ): Promise<T> {
    const about = { what, accountId: null }
    const demand = this.#limits.address(request)
    if (counts === 'afterwards') return this.#countAfterwards(request, demand, about, work)
    const attempt = await this.#limits.hold(request, [[demand]], about)
    const result = await orSettle(attempt, work)
    await (counts === 'all' ? attempt.fail() : attempt.giveBack())
    return result
  }

  async #countAfterwards<T>(
    request: FastifyRequest,
    demand: Demand,
    about: About,
    work: () => Promise<T>,
  ): Promise<T> {
    await this.#limits.check(request, demand, about)
    try {
      return await work()
    } catch (error) {
      if (isFailedAttempt(error)) await this.#limits.countFailure(demand)
      throw error
    }
  }
}
