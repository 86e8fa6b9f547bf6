import type { Failure, Outcome } from './api.js'
import { forgetClient } from './client.js'
import { announce } from './dom.js'
import { t } from './language.js'
import { focusOn } from './painting.js'
import { cleared, complain } from './say.js'
import { forgetPerson, type Place, state, update } from './store.js'

/** The codes of a guarded route that recognises nobody. */
const NOBODY = [
  'NOT_SIGNED_IN',
  'TOKEN_EXPIRED',
  'TOKEN_INVALID',
  'CREDENTIAL_EXPIRED',
  'CREDENTIAL_INVALID',
  'SIGNED_OUT',
  'REFRESH_REFUSED',
]

export const meansNobody = ({ code }: Failure): boolean => NOBODY.includes(code)

/** Shows the sign-in form and the reason why the sign-in has ended. */
export function lost(failure: Failure): void {
  forgetClient()
  forgetPerson()
  complain('page', failure)
  focusOn('title')
}

/** Shows a failure in its place. If nobody is recognised, the sign-in form replaces the page. */
export function refuse(place: Place, failure: Failure): void {
  if (state().me && meansNobody(failure)) lost(failure)
  else complain(place, failure)
}

/** In ms. Most calls are over before it, and need no announcement. */
const PATIENCE = 500

let running = Promise.resolve()

/** Resolves when no action of the user is under way. */
export const idle = (): Promise<void> => running

/** Runs one action at a time. A second click meanwhile does nothing. */
export async function doing(place: Place, action: () => Promise<void>): Promise<void> {
  if (state().busy) return
  update({ ...cleared(place), busy: true, confirming: null })
  // The call may wait for the user's proof in a dialog.
  const waiting = setTimeout(() => state().busy && announce('status', t().working), PATIENCE)
  const done = action().finally(() => {
    clearTimeout(waiting)
    update({ busy: false })
  })
  running = done.catch(() => {})
  await done
}

/** Continues with the answer, or shows the failure. */
export async function ask<T>(
  place: Place,
  outcome: Promise<Outcome<T>>,
): Promise<{ readonly data: T } | null> {
  const result = await outcome
  if (result.ok) return result
  refuse(place, result.failure)
  return null
}
