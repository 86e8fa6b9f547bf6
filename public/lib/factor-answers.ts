import { listOf, number, oneOf, orNull, shape, text } from './decode.js'

/** The fields about second factors that the page uses. */

const KINDS = ['totp', 'passkey', 'recovery_code'] as const
export type FactorKind = (typeof KINDS)[number]
/** The ways to prove who you are. */
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

/** A login after the right password and a password reset ask for a second factor with this. */
export const asked = shape({ pending: orNull(text), factors: listOf(kind), expires_in: orNull(number) })

export interface SecondStep {
  /** As the user typed it. */
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

/** Without codes if the account already had some. */
export const newCodes = shape({ recovery_codes: orNull(listOf(text)) })

/** A sign-in tells how many codes are left, if they are few. */
export const fewCodes = shape({ recovery_codes_left: orNull(number) })

export const passkeySignIn = shape({ options: (value: unknown) => value, pending: text })
