import type { SignInRecord } from './records.js'

/** Conditions for rotating a sign-in's token, so that no client is refused after the rotation. */
export interface RotationTerms {
  /** The lowest epoch under which the sign-in may have begun. */
  readonly epoch: number
  /** The sign-in's absolute limit must not be earlier, in ms. */
  readonly endsAfter: number
  /** The maximum size of the sign-in's claims, in bytes of JSON. A store may count more than the claims. */
  readonly claimsMax: number
}

export interface Rotation {
  /** Counter of the refresh token that the client presented. The token is verified already. */
  readonly presented: number
  /** Id of the key under which a successor would be derived. */
  readonly keyId: string
  readonly now: number
  /** How long after a rotation the predecessor still gets the same successor, in ms. */
  readonly grace: number
  /** Without them, any sign-in is rotated. */
  readonly terms?: RotationTerms
}

export type RotationResult =
  /** `presented` was the newest, or above it because the store had lost a write. Its successor is `refresh`. */
  | { readonly outcome: 'rotated'; readonly signIn: SignInRecord }
  /** `presented` was the immediate predecessor, within the grace: the same successor again. */
  | { readonly outcome: 'repeated'; readonly signIn: SignInRecord }
  /** An older token, or one presented too late: theft, or a copy. Nothing was changed. */
  | { readonly outcome: 'reused'; readonly signIn: SignInRecord }
  /** The sign-in does not meet the terms. Nothing was changed, and the token was not judged. */
  | { readonly outcome: 'unmet'; readonly signIn: SignInRecord }
  /** No such sign-in, or past its limits. */
  | { readonly outcome: 'gone' }
