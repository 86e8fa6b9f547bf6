import type { FastifyRequest } from 'fastify'
import type { Audit, EndedBy, EndReason } from '../audit.js'
import type { SignInRef } from '../contract.js'

/** Why a sign-in ended, for the audit event. */
export type Ending =
  /** The client signed out with a credential of this mode. */
  | { readonly signedOut: string; readonly request?: FastifyRequest }
  | {
      readonly by: EndedBy
      readonly why: EndReason
      /** The account that asked for it. */
      readonly actorId?: string
      readonly request?: FastifyRequest
    }
  /** No client ever held its credential, so there is no event. */
  | 'never_held'

const BY_APPLICATION: Ending = Object.freeze({ by: 'application', why: 'asked' })

/** Emits the audit event of a sign-in that was ended. */
export function tellEnded(
  audit: Audit,
  { accountId, signInId }: Pick<SignInRef, 'accountId' | 'signInId'>,
  ending: Ending = BY_APPLICATION,
): void {
  if (ending === 'never_held') return
  const { request } = ending
  if ('signedOut' in ending) {
    audit.emit({ type: 'signed_out', accountId, signInId, mode: ending.signedOut }, request)
  } else {
    const { by, why, actorId = null } = ending
    audit.emit({ type: 'sign_in_ended', accountId, signInId, by, why, actorId }, request)
  }
}
