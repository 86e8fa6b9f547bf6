import { settings } from './answers.js'
import { call } from './api.js'
import { t } from './language.js'
import { tell } from './say.js'
import { state } from './store.js'
import { tokens } from './tokens.js'

/*
 * A browser that stores no cookies forgets a token sign-in with the next reload, and nobody can use that sign-in again.
 * The page ends it as it goes, and says why when it comes back.
 */

const KEY = 'token-forgotten'

let isUnkept = false

/** After a sign-in by token: whether the browser has kept its refresh cookie. Warns if not. */
export async function checkKept(): Promise<void> {
  const found = await call('GET', '/settings', settings)
  isUnkept = found.ok && !found.data.refresh_sent
  if (isUnkept) tell('page', t().signIn.unkept)
}

/** When the page goes. `keepalive` lets the call outlive it. */
export function endUnkept(): void {
  const held = tokens()
  if (!isUnkept || !held) return
  const headers = { authorization: `Bearer ${held.token}` }
  void fetch('/logout_token', { method: 'POST', headers, keepalive: true }).catch(() => {})
  try {
    sessionStorage.setItem(KEY, 'true')
  } catch {
    // A browser without storage is told nothing.
  }
}

/** Whether the user was signed in before a reload. It is no credential, and ends with the tab. */
let wasSignedIn: boolean = history.state?.isSignedIn === true

/** For the next reload. */
export function noteSignedIn(isSignedIn: boolean): void {
  if (history.state?.isSignedIn !== isSignedIn) history.replaceState({ isSignedIn }, '')
}

function takeForgotten(): boolean {
  try {
    const isForgotten = sessionStorage.getItem(KEY) !== null
    sessionStorage.removeItem(KEY)
    return isForgotten
  } catch {
    return false
  }
}

/** Runs after a reload if nobody is signed in and no other notice says why. */
export function tellForgotten(): void {
  const { forgotten, gone } = t().signIn
  if (takeForgotten()) tell('page', forgotten)
  else if (wasSignedIn && !state().failures.page) tell('page', gone)
  wasSignedIn = false
}
