import { type Child, h } from '../../lib/dom.js'
import { buttons } from '../../lib/elements.js'
import type { Description } from '../answers.js'
import { state } from '../state.js'
import { words } from '../words.js'

export { form, panel } from '../../lib/elements.js'

export const button = buttons(() => state().busy)

/** A text in which `…` marks code. */
export function withCode(text: string): Child {
  return text.split('`').map((part, index) => (index % 2 === 1 ? h('code', {}, part) : part))
}

export function link({ name, title, number }: Description): HTMLElement {
  return h('a', { href: `#${name}` }, `${number}. ${title}`)
}

export function heading(title: string): HTMLElement {
  return h('h1', { id: 'title', tabindex: -1 }, title)
}

export function backToAll(): HTMLElement {
  return h('p', { class: 'back' }, h('a', { href: '#', id: 'all' }, `← ${words().all}`))
}
