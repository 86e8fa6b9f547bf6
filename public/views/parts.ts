import type { AuthType } from '../lib/answers.js'
import type { Failure } from '../lib/api.js'
import { type Attributes, type Child, h } from '../lib/dom.js'
import { buttons } from '../lib/elements.js'
import { moment, t } from '../lib/language.js'
import { focusOn } from '../lib/painting.js'
import { advice, complain, happened, INCOMPLETE } from '../lib/say.js'
import { type Place, state } from '../lib/store.js'

export { form, panel } from '../lib/elements.js'

export const button = buttons(() => state().busy)

function failureBox(place: Place, failure: Failure): HTMLElement {
  const { retryAt, code, status } = failure
  return h(
    'div',
    { class: 'box bad', id: `${place}-failure`, 'data-code': code },
    h('p', { class: 'box-title' }, happened(failure)),
    h('p', {}, advice(failure)),
    retryAt !== null && h('p', {}, h('strong', { 'data-wait': retryAt })),
    code !== INCOMPLETE &&
      h('p', { class: 'fine' }, `${t().failure.code}: `, h('code', {}, code), status > 0 && ` · ${status}`),
  )
}

/** The last outcome in this place. Another element has it read out once. */
export function outcome(place: Place): Child {
  const failure = state().failures[place]
  const notice = state().notices[place]
  return [
    failure && failureBox(place, failure),
    notice !== undefined && h('div', { class: 'box good' }, h('p', {}, notice)),
  ]
}

/** Attributes that mark a field as invalid and link it to the failure's text. */
export function faulty(place: Place, id: string, codes: readonly string[]): Attributes {
  const failure = state().failures[place]
  if (!failure) return {}
  const isIt = failure.code === INCOMPLETE ? failure.reason === id : codes.includes(failure.code)
  return isIt ? { 'aria-invalid': true, 'aria-describedby': `${place}-failure` } : {}
}

/** Whether all fields are filled in. Otherwise, shows that at the empty field and focuses it. */
export function isComplete(place: Place, ...ids: readonly string[]): boolean {
  const empty = ids.find((id) => typed(id) === '')
  if (empty === undefined) return true
  complain(place, { status: 0, code: INCOMPLETE, msg: '', reason: empty, retryAt: null })
  focusOn(empty)
  return false
}

export function field(id: string, label: string, attributes: Attributes, hint = ''): HTMLElement {
  const hintId = `${id}-hint`
  const described = [attributes['aria-describedby'], hint && hintId].filter((each) => each)
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    h('input', {
      id,
      name: id,
      type: 'text',
      ...attributes,
      'aria-describedby': described.length > 0 ? described.join(' ') : null,
    }),
    hint !== '' && h('p', { class: 'fine', id: hintId }, hint),
  )
}

export function typed(id: string): string {
  const element = document.getElementById(id)
  return element instanceof HTMLInputElement ? element.value : ''
}

/** Whether a box is ticked. */
export function isChecked(id: string): boolean {
  const element = document.getElementById(id)
  return element instanceof HTMLInputElement && element.checked
}

/** Sets the value of a field. */
export function typeInto(id: string, words: string): void {
  const element = document.getElementById(id)
  if (element instanceof HTMLInputElement) element.value = words
}

/** Empties a field. */
export function emptied(id: string): void {
  const element = document.getElementById(id)
  if (element instanceof HTMLFormElement) element.reset()
}

export function badge(mode: AuthType): HTMLElement {
  return h('span', { class: `badge ${mode}` }, t().modes[mode])
}

export function when(time: string, words = moment(time)): HTMLElement {
  return h('time', { datetime: time, title: moment(time) }, words)
}
