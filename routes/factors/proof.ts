import { type FactorProof, isFactorName } from 'fastify-identity/factors'
import { Type } from 'typebox'
import { BodyInvalid } from '../http/errors.js'

/*
 * The fields of a proof in request bodies. The suite refuses a malformed code, and counts it as an attempt.
 */

/** In code points. The limit only bounds the work. */
const code = Type.String({ minLength: 1, maxLength: 256 })
/** The browser's answer. The suite checks it. */
const response = Type.Record(Type.String(), Type.Unknown())

export const codeFields = { factor: Type.Enum(['totp', 'recovery_code']), code }
export const passkeyFields = { factor: Type.Literal('passkey'), response }

export type GivenProof =
  | { readonly factor: 'totp' | 'recovery_code'; readonly code: string }
  | { readonly factor: 'passkey'; readonly response: object }

/** The fields of the proof, without the other fields of the body. */
export function proofOf(given: GivenProof): FactorProof {
  return given.factor === 'passkey'
    ? { factor: given.factor, response: given.response }
    : { factor: given.factor, code: given.code }
}

/** `checkFactorName` checks the rest. */
export const FactorName = Type.String({ minLength: 1, maxLength: 100 })

/** @throws BODY_INVALID unless the name has a visible character */
export function checkFactorName(name: string): void {
  if (!isFactorName(name) || name.trim() === '') throw new BodyInvalid()
}
