/* In milliseconds. They are here because the bundler inlines them only from a file without imports. */

/** For signing in and out. Long, because a password hash may have to wait for its turn. */
export const SIGN_LIMIT = 20_000
/** Two refreshes fit into the server's grace. So if the first answer is lost, a second try still works. */
export const REFRESH_LIMIT = 4500
/** The second try of a refresh comes within this time, or not before the next request. */
export const SOON = 2000
export const STORAGE_LIMIT = 3000
/** The server writes a line every 20 s. After this silence the connection is dead. */
export const SILENCE = 45_000
/** Clients reconnect after 1 to 15 s, so that not all of them come at once after a failover. */
export const SOONEST = 1000
export const SPREAD = 14_000
