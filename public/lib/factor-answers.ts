import { listOf, number, oneOf, orNull, shape, text } from './decode.js'

/** The fields about second factors that the page uses. */

const KINDS = ['totp', 'passkey', 'recovery_code'] as const
export type FactorKind = (typeof KINDS)[number]
/** What somebody may prove themselves by. */
export type ProofKind = FactorKind | 'password'
const kind = oneOf(...KINDS)

const factor = shape({
  id: text,
  kind,
  name: text,
  created_at: text,
  last_used_at: orNull(text),
  left: orNull(number),
})
export type Factor = ReturnType<typeof factor>
export const factors = listOf(factor)

/** What a login asks for after the right password, and a reset of a password. */
export const asked = shape({ pending: orNull(text), factors: listOf(kind), expires_in: orNull(number) })

export interface SecondStep {
  /** As it was typed. */
  readonly username: string
  readonly pending: string
  readonly kinds: readonly ProofKind[]
  readonly chosen: ProofKind
  /** In ms. */
  readonly endsAt: number
  /** How many wrong proofs the server has refused. */
  readonly refused: number
}

export const newTotp = shape({ id: text, secret: text, qr: text })
export type NewTotp = ReturnType<typeof newTotp>

/** Missing if the account had codes already. */
export const newCodes = shape({ recovery_codes: orNull(listOf(text)) })

/** What a sign-in says of the codes. */
export const fewCodes = shape({ recovery_codes_left: orNull(number) })

export const passkeySignIn = shape({ options: (value: unknown) => value, pending: text })
