import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { FactorRefusal } from '../audit-events.js'
import type { CheckedAccount } from '../contract.js'
import { FactorRefused } from '../errors.js'
import { seal, unseal } from '../session/seal.js'
import { type Static, Type } from '../shape.js'
import type { FactorContext } from './context.js'
import type { Factors, NewTotp, StoredFactor, Verified } from './contract.js'
import type { FactorKeeper } from './keeper.js'
import type { Totp } from './totp.js'

/** How long a client can confirm an enrolment, in ms. */
const ENROLMENT = 600_000
const ID_BYTES = 16
/** If a parallel request spends another code, `spend` reads the factor again. Three codes are valid at once. */
const ROUNDS = 3

/** An enrolment. The server does not store it: the client sends it back. */
const isEnrolment = Type.Object(
  {
    factor: Type.String({ minLength: 1 }),
    secret: Type.String({ minLength: 1 }),
    epoch: Type.Integer({ minimum: 0 }),
    until: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
)
type Enrolment = Static<typeof isEnrolment>

const enrolmentName = (accountId: string) => JSON.stringify(['totp-enrolment', accountId])

type Enrolling = Pick<Factors, 'beginTotp' | 'confirmTotp'>

export class TotpFactors implements Enrolling {
  constructor(
    private readonly context: FactorContext,
    private readonly keeper: FactorKeeper,
    private readonly totp: Totp,
  ) {}

  async beginTotp({ id: accountId, username, epoch }: CheckedAccount): Promise<NewTotp> {
    const { app, seal: sealing, settings } = this.context
    const secret = this.totp.newSecret()
    const factor = randomBytes(ID_BYTES).toString('base64url')
    const enrolment: Enrolment = { factor, secret, epoch, until: app.identityClock() + ENROLMENT }
    const id = seal(sealing.keys, enrolmentName(accountId), JSON.stringify(enrolment))
    return { id, secret, uri: this.totp.uri(secret, settings.issuer, username) }
  }

  async confirmTotp(
    request: FastifyRequest,
    account: CheckedAccount,
    id: string,
    code: string,
    name = '',
  ): Promise<{ readonly recoveryCodes: readonly string[] }> {
    const { app, seal: sealing } = this.context
    const enrolment = this.#open(account, id)
    const counter = await app.throttle.guessFactor(request, account, async (failures) => {
      const step = enrolment && this.totp.stepOf(enrolment.secret, code, app.identityClock())
      if (step !== null) return step
      const about = { kind: 'totp', reason: 'wrong', failures } as const
      app.audit.emit({ type: 'factor_refused', accountId: account.id, ...about }, request)
      return null
    })
    if (!enrolment || counter === null || !(await this.#finish(enrolment))) throw new FactorRefused()
    const own = { id: enrolment.factor, accountId: account.id }
    const times = { createdAt: app.identityClock(), lastUsedAt: null }
    const sealed = sealing.seal(own, enrolment.secret)
    // `counter` marks the code as used, so that it cannot also sign in.
    const factor: StoredFactor = { ...own, kind: 'totp', name, ...sealed, counter, ...times }
    const { recoveryCodes } = await this.keeper.add(factor, account, request)
    return { recoveryCodes }
  }

  /** An enrolment works once. Otherwise somebody who knows the secret could add the factor again after its removal. */
  async #finish({ factor, until }: Enrolment): Promise<boolean> {
    const { stateStore, identityClock } = this.context.app
    const key = createHash('sha256').update(`totp-enrolment.${factor}`).digest('base64url')
    return (await stateStore.spendOnce?.(key, until, identityClock())) ?? true
  }

  /** Verifies a code. Spends it and all older ones. */
  async spend(accountId: string, code: string): Promise<Verified | FactorRefusal> {
    for (let round = 0; round < ROUNDS; round += 1) {
      const factors = (await this.context.source.list(accountId)).filter(({ kind }) => kind === 'totp')
      const outcome = await this.#spendOne(factors, code)
      if (outcome !== 'lost') return outcome
    }
    return 'used'
  }

  async #spendOne(
    factors: readonly StoredFactor[],
    code: string,
  ): Promise<Verified | FactorRefusal | 'lost'> {
    const { app, seal: sealing, source } = this.context
    const at = app.identityClock()
    let refusal: FactorRefusal = 'wrong'
    for (const factor of factors) {
      const secret = sealing.open(factor)
      if (secret === null) refusal = 'key_lost'
      const step = secret === null ? null : this.totp.stepOf(secret, code, at)
      if (secret === null || step === null) continue
      if (step > factor.counter) {
        const use = { counter: step, at, ...sealing.renewed(factor, secret) }
        const isSpent = await source.spend(factor.accountId, factor.id, factor.counter, use)
        return isSpent ? { given: { method: 'totp', at } } : 'lost'
      }
      refusal = 'used'
    }
    return refusal
  }

  #open({ id: accountId, epoch }: CheckedAccount, text: string): Enrolment | null {
    const content = unseal(this.context.seal.keys, enrolmentName(accountId), text)
    const value: unknown = content === null ? null : JSON.parse(content)
    if (!isEnrolment(value) || value.epoch !== epoch) return null
    return this.context.app.identityClock() < value.until ? value : null
  }
}
