/*
 * The times of device-bound sign-ins, in ms. Chromium signs at most six times in nine minutes. After that it sends
 * requests without a proof. So a proof must last for minutes.
 */

/** How long a new sign-in needs no proof. A browser that has not registered by then cannot do so later. */
export const PROVISIONAL_FOR = 75_000

/** How long a registration code is good. The other 15 seconds are for a registration that is under way. */
export const CODE_FOR = 60_000

/** Within this time, a sign-in gets the same challenge again. */
export const CHALLENGE_BUCKET = 60_000

/**
 * How long a proof is good, counted from the issue of its challenge. Browsers send a signed challenge more than once,
 * and a thief may do the same. Neither extends a proof.
 */
export const PROOF_FOR = 20 * 60_000

/**
 * How much earlier the proof expires in the browser than at the server. Requests take time, and the clocks of instances
 * differ. Also, when a connection ends with its proof, the client opens another one at once. By then the browser must
 * have dropped the old proof, so that it renews it.
 */
export const BROWSER_AHEAD = 30_000

/** A challenge is refused, and a new one is given, if its proof would last for less than this. */
export const PROOF_LEAST = 5 * 60_000

/** How old the challenge of a fresh proof may be. */
export const FRESH_FOR = 60_000

/** How often, and in which time, a sign-in is asked for a fresh proof. */
export const ASKS_MAX = 3
export const ASKS_WITHIN = 600_000

/** How far ahead the clock of the instance that issued something may be. */
export const AHEAD_MAX = 60_000
