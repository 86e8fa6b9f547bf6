import type { FastifyRequest } from 'fastify'
import type { FactorRefusal } from '../audit-events.js'
import type { FactorContext } from './context.js'
import type { ChallengeScope, FactorOwner, FactorProof, Verified } from './contract.js'

/** How each kind of proof is verified and spent. */
export interface Verifiers {
  readonly totp: (accountId: string, code: string) => Promise<Verified | FactorRefusal>
  readonly recovery_code: (accountId: string, code: string) => Promise<Verified | FactorRefusal>
  readonly passkey: (
    response: unknown,
    scope: ChallengeScope,
    request: FastifyRequest,
  ) => Promise<Verified | FactorRefusal>
}

async function spend(
  verifiers: Verifiers,
  request: FastifyRequest,
  accountId: string,
  proof: FactorProof,
  scope: ChallengeScope,
): Promise<Verified | FactorRefusal> {
  if (proof.factor === 'passkey') return verifiers.passkey(proof.response, { ...scope, accountId }, request)
  const { factor, code } = proof
  // An application may pass an unvalidated body. A word such as `constructor` must not find a function.
  if ((factor !== 'totp' && factor !== 'recovery_code') || typeof code !== 'string') return 'wrong'
  return verifiers[factor](accountId, code)
}

/** Counts the attempt for the account, verifies the proof and spends it. @see Factors.verify */
export function verifyFactor(
  { app }: FactorContext,
  verifiers: Verifiers,
  request: FastifyRequest,
  account: FactorOwner,
  proof: FactorProof,
  scope: ChallengeScope,
): Promise<Verified | null> {
  return app.throttle.guessFactor(request, account, async (failures) => {
    const outcome = await spend(verifiers, request, account.id, proof, scope)
    if (typeof outcome !== 'string') return outcome
    const about = { kind: proof.factor, reason: outcome, failures }
    app.audit.emit({ type: 'factor_refused', accountId: account.id, ...about }, request)
    return null
  })
}
