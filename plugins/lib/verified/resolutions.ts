import type { RefusalCode, Resolution } from '../contract.js'

/** None of this mode's credentials came. */
export const ABSENT: Resolution = Object.freeze({ kind: 'absent' })

/** One came, and is bad. Made once for each mode: a hot path hands it out without making anything. */
export function refusedAs(code: RefusalCode): Resolution {
  return Object.freeze({ kind: 'refused', code })
}

/** A genuine one came, whose sign-in was ended. */
export const SIGNED_OUT = refusedAs('SIGNED_OUT')
