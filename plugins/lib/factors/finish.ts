import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CheckedAccount, Claims, ModeName } from '../contract.js'
import { EpochPassed, FactorRefused, SecondFactorRequired } from '../errors.js'
import { checkAccount } from '../identity/account-check.js'
import type { BrowserHalf } from './browser-half.js'
import type { FactorProof, Factors, FinishedSignIn, PasskeyOptions, Verified } from './contract.js'
import type { AskFactor } from './hand-over.js'
import { PENDING_FOR, type Pending, type PendingSignIns } from './pending.js'

export interface FinishParts {
  readonly app: FastifyInstance
  readonly pendings: PendingSignIns
  readonly half: BrowserHalf
  readonly factors: Pick<Factors, 'kinds' | 'verify' | 'challenge'>
}

interface Opened {
  readonly pending: Pending
  readonly account: CheckedAccount
}

/** Sign-ins in two steps: the password, then a second factor. */
export class FactorSignIns {
  constructor(private readonly parts: FinishParts) {}

  readonly ask: AskFactor = async (request, { mode, account, username, options }) => {
    const { app, factors, half, pendings } = this.parts
    const kinds = await factors.kinds(account.id)
    if (kinds.length === 0) return null
    const { id: sub, epoch = 0 } = account
    const { remember = false, claims, memo = null } = options
    const content = { mode, sub, name: username, epoch, at: app.identityClock(), remember, claims, memo }
    const own = app.authModes.get(mode).ambient ? half.choose(request) : null
    const pending = await pendings.create(content, own)
    if (own !== null) half.set(request, own)
    app.audit.emit({ type: 'second_factor_asked', accountId: sub, mode }, request)
    return new SecondFactorRequired({ pending, factors: kinds, expires_in: PENDING_FOR })
  }

  /** @see Factors.challengePending */
  async challenge(request: FastifyRequest, text: unknown): Promise<PasskeyOptions> {
    const { pending } = await this.#open(request, text)
    return this.parts.factors.challenge(scopeOf(pending))
  }

  /** @see Factors.finishSignIn */
  async finish(request: FastifyRequest, text: unknown, proof: FactorProof): Promise<FinishedSignIn> {
    const { app, half, pendings } = this.parts
    const { pending, account } = await this.#open(request, text)
    const { mode: name, name: username, memo } = pending.content
    const mode = name as ModeName
    app.authModes.get(mode).precheck?.(request)
    const { given, left } = await this.#verify(request, account, username, pending, proof)
    // Only one of two parallel requests with different valid factors takes the pending sign-in.
    if (!(await pendings.take(pending))) throw new FactorRefused()
    const issued = await this.#signIn(request, mode, account, pending, given)
    await app.throttle.noteSignIn(request, mode, account, username)
    // The cookie may belong to a sign-in of another tab.
    if (app.authModes.get(mode).ambient) half.clear(request)
    return { mode, issued, account, username, memo, ...(left === undefined ? {} : { left }) }
  }

  /** @throws FACTOR_REFUSED, the same for every reason; THROTTLED if the address was refused too often */
  async #open(request: FastifyRequest, text: unknown): Promise<Opened> {
    const { app, half, pendings } = this.parts
    const pending = await pendings.find(text, half.read(request))
    const account = pending && (await this.#accountOf(pending))
    if (account && app.authModes.names.some((name) => name === pending.content.mode))
      return { pending, account }
    return app.throttle.byAddress(request, 'factor', () => Promise.reject(new FactorRefused()))
  }

  /** Null if the account is gone or disabled, or its epoch was raised after the password was given. */
  async #accountOf({ content }: Pending): Promise<CheckedAccount | null> {
    const found = await this.parts.app.accountSource.find(content.sub)
    if (!found || found.id !== content.sub) return null
    const account = checkAccount(found)
    return account.epoch === content.epoch ? account : null
  }

  async #verify(
    request: FastifyRequest,
    { id }: CheckedAccount,
    username: string,
    pending: Pending,
    proof: FactorProof,
  ): Promise<Verified> {
    const { factors, pendings } = this.parts
    if (!(await pendings.countTry(pending))) throw new FactorRefused()
    let verified: Verified | null
    try {
      verified = await factors.verify(request, { id, username }, proof, scopeOf(pending))
    } catch (error) {
      // No proof was verified: a limit refused the attempt, or a store failed.
      await pendings.giveBackTry(pending).catch(() => {})
      throw error
    }
    if (!verified) throw new FactorRefused()
    return verified
  }

  async #signIn(
    request: FastifyRequest,
    mode: ModeName,
    account: CheckedAccount,
    { content }: Pending,
    given: Verified['given'],
  ) {
    const { at, remember, claims } = content
    const factors = [{ method: 'password' as const, at }, given]
    const options = { remember, factors, ...(claims === undefined ? {} : { claims: claims as Claims }) }
    try {
      return await request.signIn(mode, account, options)
    } catch (error) {
      // The password was changed, or the account was disabled, since the check above.
      throw error instanceof EpochPassed ? new FactorRefused() : error
    }
  }
}

function scopeOf({ key, content }: Pending) {
  return { purpose: 'pending', subject: key, accountId: content.sub } as const
}
