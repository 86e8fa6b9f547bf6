import type { Failure, Outcome } from './api.js'
import { focusOn } from './dom.js'
import { clear, complain } from './say.js'
import { forgetPerson, type Place, state, update } from './store.js'
import { tellTabs } from './tabs.js'
import { forgetTokens } from './tokens.js'

/** What a guarded route refuses with when it recognises nobody. */
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

/** The person is not signed in any more, and the page says why. */
export function lost(failure: Failure): void {
  forgetTokens()
  forgetPerson()
  complain('page', failure)
  focusOn('title')
  tellTabs()
}

/** Shows why a call came to nothing: there, or where nobody is recognised, instead of everything. */
export function refuse(place: Place, failure: Failure): void {
  if (state().me && meansNobody(failure)) lost(failure)
  else complain(place, failure)
}

/** One thing at a time: a second click on the way does nothing. */
export async function doing(place: Place, action: () => Promise<void>): Promise<void> {
  if (state().busy) return
  clear(place)
  update({ busy: true })
  try {
    await action()
  } finally {
    update({ busy: false })
  }
}

/** Goes on with what was answered, or shows why not. */
export async function ask<T>(
  place: Place,
  outcome: Promise<Outcome<T>>,
): Promise<{ readonly data: T } | null> {
  const result = await outcome
  if (result.ok) return result
  refuse(place, result.failure)
  return null
}
