import { type FactorProof, isFactorName } from 'fastify-identity/factors'
import { Type } from 'typebox'
import { BodyInvalid } from '../http/errors.js'

/*
 * What people give to prove a factor, as bodies of requests. The suite refuses a code of another form, and counts it.
 */

/** In code points. This bound only limits the work. */
const code = Type.String({ minLength: 1, maxLength: 256 })
/** The browser's answer. The suite checks it. */
const response = Type.Record(Type.String(), Type.Unknown())

export const codeFields = { factor: Type.Enum(['totp', 'recovery_code']), code }
export const passkeyFields = { factor: Type.Literal('passkey'), response }

export type GivenProof =
  | { readonly factor: 'totp' | 'recovery_code'; readonly code: string }
  | { readonly factor: 'passkey'; readonly response: object }

/** Only the fields of the proof: the body has more. */
export function proofOf(given: GivenProof): FactorProof {
  return given.factor === 'passkey'
    ? { factor: given.factor, response: given.response }
    : { factor: given.factor, code: given.code }
}

/** `checkFactorName` checks the rest. */
export const FactorName = Type.String({ minLength: 1, maxLength: 100 })

/** @throws BODY_INVALID unless somebody can see the name */
export function checkFactorName(name: string): void {
  if (!isFactorName(name) || name.trim() === '') throw new BodyInvalid()
}
