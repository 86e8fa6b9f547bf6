import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AuthModes, CheckedAccount, ModeName } from '../contract.js'
import { EpochPassed, FactorRefused } from '../errors.js'
import { checkAccount } from '../identity/account-check.js'
import type { BrowserHalf } from './browser-half.js'
import type { PasskeyOptions } from './contract.js'
import type { Passkeys } from './passkeys.js'

interface Parts {
  readonly app: FastifyInstance
  readonly passkeys: Passkeys
  readonly half: BrowserHalf
}

/** The client's part of a sign-in by passkey alone. */
export interface PasskeySignIn {
  readonly pending: string
  readonly response: unknown
  readonly remember?: boolean
}

/** The half in the body. The MAC of the challenge covers it. */
function pendingOf(half: string): string {
  return createHash('sha256').update(`passkey.${half}`).digest('base64url')
}

const scopeOf = (pending: string) => ({ purpose: 'login', subject: pending, accountId: null }) as const

/** Sign-ins by a passkey alone, without a name and a password. */
export class PasskeySignIns {
  constructor(private readonly parts: Parts) {}

  /** @see Factors.beginPasskeySignIn */
  async begin(request: FastifyRequest): Promise<{ options: PasskeyOptions; pending: string }> {
    const { half, passkeys } = this.parts
    const own = half.choose(request)
    const pending = pendingOf(own)
    const options = await passkeys.options(scopeOf(pending))
    half.set(request, own)
    return { options, pending }
  }

  /** @see Factors.passkeySignIn */
  async signIn<N extends ModeName>(
    request: FastifyRequest,
    name: N,
    { pending, response, remember = false }: PasskeySignIn,
  ): Promise<{ issued: AuthModes[N]; account: CheckedAccount }> {
    const { app, half } = this.parts
    const mode = app.authModes.get(name)
    mode.precheck?.(request)
    const account = await app.throttle.byAddress(request, 'passkey', () => {
      // Otherwise an attacker's page could sign people in as the attacker.
      if (mode.ambient && !this.#isOfBrowser(request, pending)) throw this.#refusal(request, name)
      return this.#accountOf(request, name, pending, response)
    })
    const factors = [{ method: 'passkey' as const, at: app.identityClock() }]
    const issued = await request.signIn(name, account, { remember, factors }).catch((error: unknown) => {
      // The password was changed, or the account was disabled, since the check above.
      throw error instanceof EpochPassed ? this.#refusal(request, name) : error
    })
    await app.throttle.noteSignIn(request, name, account, account.username)
    half.clear(request)
    return { issued, account }
  }

  #isOfBrowser(request: FastifyRequest, pending: string): boolean {
    const half = this.parts.half.read(request)
    return half !== null && pendingOf(half) === pending
  }

  /** @throws FACTOR_REFUSED, also if the account is gone or disabled */
  async #accountOf(request: FastifyRequest, mode: ModeName, pending: string, response: unknown) {
    const { app, passkeys } = this.parts
    const owner =
      typeof pending === 'string' ? await passkeys.verify(scopeOf(pending), response, request) : 'wrong'
    const account = typeof owner === 'string' ? null : await app.accountSource.find(owner.accountId)
    if (account === null || typeof owner === 'string' || account.id !== owner.accountId)
      throw this.#refusal(request, mode)
    return checkAccount(account)
  }

  /** The event names no account, as after a wrong password. */
  #refusal(request: FastifyRequest, mode: ModeName): Error {
    this.parts.app.audit.emit({ type: 'sign_in_refused', mode, reason: 'passkey' }, request)
    return new FactorRefused()
  }
}
