import { BrowserHalf } from './browser-half.js'
import type { FactorContext } from './context.js'
import type { Factors } from './contract.js'
import { FactorSignIns } from './finish.js'
import type { AskFactor } from './hand-over.js'
import { FactorKeeper } from './keeper.js'
import { createPasskeyFactors } from './passkey-factors.js'
import { PENDING_FOR, PendingSignIns } from './pending.js'
import { spendRecoveryCode } from './recovery-codes.js'
import { resealAll } from './reseal.js'
import type { Totp } from './totp.js'
import { TotpFactors } from './totp-factors.js'
import { type Verifiers, verifyFactor } from './verification.js'

interface Created {
  /** `app.factors`. */
  readonly factors: Factors
  readonly ask: AskFactor
}

/** @throws OPTION_INVALID if the store cannot spend the challenges of passkeys */
export function createFactors(context: FactorContext, totp: Totp): Created {
  const { app, settings } = context
  const half = new BrowserHalf(settings.spec, PENDING_FOR)
  const keeper = new FactorKeeper(context)
  const totps = new TotpFactors(context, keeper, totp)
  const { verify: verifyPasskey, ...passkeys } = createPasskeyFactors(context, keeper, half)
  const verifiers: Verifiers = {
    totp: (accountId, code) => totps.spend(accountId, code),
    recovery_code: (accountId, code) => spendRecoveryCode(context, accountId, code),
    passkey: verifyPasskey,
  }
  const verify: Factors['verify'] = (...args) => verifyFactor(context, verifiers, ...args)
  const kinds: Factors['kinds'] = (accountId) => keeper.kinds(accountId)
  const keys = app.keyRing.purpose('pending')
  const pendings = new PendingSignIns({ store: app.stateStore, keys, clock: app.identityClock })
  const signIns = new FactorSignIns({ app, pendings, half, factors: { kinds, verify, ...passkeys } })
  const factors: Factors = {
    list: keeper.list.bind(keeper),
    kinds,
    newRecoveryCodes: keeper.newRecoveryCodes.bind(keeper),
    rename: keeper.rename.bind(keeper),
    remove: keeper.remove.bind(keeper),
    reset: keeper.reset.bind(keeper),
    beginTotp: totps.beginTotp.bind(totps),
    confirmTotp: totps.confirmTotp.bind(totps),
    verify,
    ...passkeys,
    challengePending: signIns.challenge.bind(signIns),
    finishSignIn: signIns.finish.bind(signIns),
    resealSecrets: () => resealAll(context.source, context.seal),
  }
  return { factors: Object.freeze(factors), ask: signIns.ask }
}
