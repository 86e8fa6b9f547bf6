import type { FastifyRequest } from 'fastify'
import type { Audit, ProofRefusal } from '../audit.js'
import type { SignInRef } from '../contract.js'
import type { ProofFault } from './proof.js'

/** Why the proof of a request is refused. */
export type Fault = ProofFault | 'missing' | 'spent' | 'late'

/** Whether the client only lacks the newest nonce. That happens to honest clients after each pause. */
export function wantsNonce(fault: Fault | 'other_key'): boolean {
  return fault === 'nonce' || fault === 'late'
}

function reasonOf(fault: Fault | 'other_key'): ProofRefusal {
  return fault === 'missing' || fault === 'spent' || fault === 'other_key' ? fault : 'invalid'
}

/** Reports a genuine token that came without a proof by its key. It may be stolen. */
export function tellRefused(
  audit: Audit,
  request: FastifyRequest,
  { accountId, signInId }: Pick<SignInRef, 'accountId' | 'signInId'>,
  fault: Fault | 'other_key',
): void {
  if (wantsNonce(fault)) return
  audit.emit({ type: 'proof_refused', accountId, signInId, mode: 'token', reason: reasonOf(fault) }, request)
}
