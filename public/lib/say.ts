import type { Failure } from './api.js'
import { byId } from './dom.js'
import { t } from './language.js'
import { type Place, state, update } from './store.js'

/** A form is not filled in: no call was made. */
export const INCOMPLETE = 'INCOMPLETE'

/** What happened, for people. */
export function happened({ code, msg }: Failure): string {
  if (code === INCOMPLETE) return t().failure.incomplete
  if (code === 'NETWORK' || code === 'TIMEOUT') return t().failure.network
  return msg || t().failure.unexpected
}

/** What to do about it. */
export function advice({ code, reason }: Failure): string {
  const { reasons, advice: all } = t().failure
  return (reason && reasons[reason]) || all[code] || all.INTERNAL || ''
}

function live(id: 'status' | 'alert', words: string): void {
  const region = byId(id)
  // The same words twice would be no change, and not be read out.
  region.textContent = ''
  setTimeout(() => {
    region.textContent = words
  }, 50)
}

/** Shows a good outcome there, and has it read out. */
export function tell(place: Place, notice: string): void {
  const { [place]: _, ...failures } = state().failures
  update({ failures, notices: { [place]: notice } })
  live('status', notice)
}

/** Shows a failure there, and has it read out at once. */
export function complain(place: Place, failure: Failure): void {
  update({ failures: { ...state().failures, [place]: failure }, notices: {} })
  live('alert', `${happened(failure)} ${advice(failure)}`)
}

export function clear(place: Place): void {
  const { [place]: _, ...failures } = state().failures
  update({ failures, notices: {} })
}
