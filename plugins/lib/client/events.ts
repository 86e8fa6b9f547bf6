import type { TokenPair } from './answers.js'

/** A change, here or in another tab. */
export type ClientEvent =
  /** Emitted also if the browser's cookie now belongs to another person. `pair` in token mode only. */
  | { readonly type: 'signed_in'; readonly pair?: TokenPair }
  | { readonly type: 'refreshed'; readonly pair: TokenPair }
  /** `error` is the code of the refusal; `SIGNED_OUT` after signing out. */
  | { readonly type: 'signed_out'; readonly error: string }

export type Emit = (event: ClientEvent) => void

/** The messages between the tabs of one browser. Only pages of the same origin can hear it. */
export type Message =
  /** New tokens. `before` is the refresh token that was exchanged; null for the cookie. */
  | { readonly before: string | null; readonly pair: TokenPair }
  /** The id of a sign-in that is over. */
  | { readonly ended: unknown }
