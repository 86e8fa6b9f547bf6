/*
 * The times of device-bound sign-ins, in ms. A browser signs at most six times in nine minutes, and then sends the cookie
 * without a proof. So a proof must last for minutes.
 */

/** How long a sign-in that offers registration is good without a question: a browser registers within it, or never. */
export const PROVISIONAL_FOR = 75_000

/** How long a registration code is good. The rest of `PROVISIONAL_FOR` is for the registration itself. */
export const CODE_FOR = 60_000

/** All challenges that one sign-in gets within this time are the same one. */
export const CHALLENGE_BUCKET = 60_000

/**
 * How long a proof is good, counted from the issue of its challenge. Browsers send a signed challenge again, and so may
 * anybody who has seen it: that never extends a proof.
 */
export const PROOF_FOR = 20 * 60_000

/**
 * How much earlier a browser drops a proof than the server refuses it. Its request may take a while, and instances' clocks
 * differ. And a connection that ends with its proof is opened again at once: the browser must then ask for another one.
 */
export const BROWSER_AHEAD = 30_000

/** With less than this left, a challenge is replaced by a new one. */
export const PROOF_LEAST = 5 * 60_000

/** How old the challenge of a fresh proof may be. */
export const FRESH_FOR = 60_000

/** How often, and in which time, a sign-in is asked for a fresh proof. */
export const ASKS_MAX = 3
export const ASKS_WITHIN = 600_000

/** How far ahead the clock of the instance that issued something may be. */
export const AHEAD_MAX = 60_000
