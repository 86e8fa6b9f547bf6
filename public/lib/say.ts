import type { Failure } from './api.js'
import { announce } from './dom.js'
import { t, tSignedIn } from './language.js'
import { type Place, type State, state, update } from './store.js'

/** A form with an empty field. No call was made. */
export const INCOMPLETE = 'INCOMPLETE'

/** A sentence about the failure. */
export function happened({ code, msg }: Failure): string {
  if (code === INCOMPLETE) return t().failure.incomplete
  if (code === 'NETWORK' || code === 'TIMEOUT') return t().failure.network
  return msg || t().failure.unexpected
}

let later = (): Readonly<Record<string, string>> => ({})

/** Adds the advice, by code, of a part that loads later. */
export function addAdvice(advice: typeof later): void {
  later = advice
}

/** Advice for the user. */
export function advice({ code, reason }: Failure): string {
  const { reasons, advice: own } = t().failure
  const all = { ...own, ...(state().me && tSignedIn().advice), ...later() }
  return (reason && reasons[reason]) || all[code] || all.INTERNAL || ''
}

/** Shows a success in its place, and has it read out. */
export function tell(place: Place, notice: string): void {
  const { [place]: _, ...failures } = state().failures
  update({ failures, notices: { [place]: notice } })
  announce('status', notice)
}

/** Shows a failure in its place, and has it read out at once. */
export function complain(place: Place, failure: Failure): void {
  update({ failures: { ...state().failures, [place]: failure }, notices: {} })
  announce('alert', `${happened(failure)} ${advice(failure)}`)
}

/** The outcomes without the one in this place. */
export function cleared(place: Place): Pick<State, 'failures' | 'notices'> {
  const { [place]: _, ...failures } = state().failures
  return { failures, notices: {} }
}
