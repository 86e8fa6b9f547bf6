import { Instant } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { decodeJson, encodeJson, signValue, verifyValue } from '../credentials/signed-value.js'
import { type Static, Type } from '../shape.js'
import type { Challenge } from './challenges.js'
import { type DeviceRef, RefFields } from './ref.js'
import { PROOF_FOR } from './times.js'

const { mode, sid } = RefFields

/** `exp` and `at` are in seconds. `at`: when the random challenge of a fresh proof was issued. */
const isProof = Type.Object(
  { v: Type.Literal(1), mode, sid, exp: Instant, at: Type.Optional(Instant) },
  { additionalProperties: false },
)
export type ProofContent = Static<typeof isProof>

/** The proof for an answered challenge. It expires a fixed time after the challenge was issued. */
export function proofFor({ mode, signInId }: DeviceRef, { kind, issuedAt }: Challenge): ProofContent {
  const exp = Math.floor((issuedAt + PROOF_FOR) / 1000)
  const at = kind === 'f' ? { at: Math.floor(issuedAt / 1000) } : {}
  return { v: 1, mode, sid: signInId, exp, ...at }
}

export function sealProof(keys: PurposeKeys, content: ProofContent): string {
  return signValue(keys, encodeJson(content))
}

/**
 * The content of a genuine proof of that sign-in, expired or not. Null for any other text, also another sign-in's
 * proof.
 */
export function openProof(
  keys: PurposeKeys,
  text: string,
  { mode, signInId }: Pick<DeviceRef, 'mode' | 'signInId'>,
): ProofContent | null {
  const payload = verifyValue(keys, text)
  const content = payload === null ? null : decodeJson(payload)
  return isProof(content) && content.mode === mode && content.sid === signInId ? content : null
}

/** The last proof that came with a bound credential. It is kept there, and so verified only once. Times are in ms. */
export class ProofSlot {
  text = ''
  until = 0
  /** When the challenge of a fresh proof was issued. */
  freshAt = Number.NEGATIVE_INFINITY

  keep(text: string, { exp, at }: ProofContent): void {
    this.text = text
    this.until = exp * 1000
    this.freshAt = at === undefined ? Number.NEGATIVE_INFINITY : at * 1000
  }
}
