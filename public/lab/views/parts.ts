import { type Attributes, type Child, h } from '../../lib/dom.js'
import type { Description } from '../answers.js'
import { state } from '../state.js'
import { words } from '../words.js'

export function panel(name: string, title: string, lead: string, ...children: Child[]): HTMLElement {
  const id = `${name}-title`
  return h(
    'section',
    { class: 'panel', id: name, 'aria-labelledby': id },
    h('h2', { id }, title),
    lead !== '' && h('p', { class: 'lead' }, lead),
    ...children,
  )
}

/** Disabled during a call, without losing the focus. */
export function button(
  id: string,
  label: string,
  click: (() => unknown) | null,
  attributes: Attributes = {},
) {
  return h(
    'button',
    {
      id,
      type: click ? 'button' : 'submit',
      'aria-disabled': state().busy,
      ...(click ? { click: () => void click() } : {}),
      ...attributes,
    },
    label,
  )
}

/** A form that the page sends itself. */
export function form(id: string, submit: () => unknown, ...children: Child[]): HTMLFormElement {
  const send = (event: Event) => {
    event.preventDefault()
    void submit()
  }
  return h('form', { id, novalidate: true, submit: send }, ...children)
}

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
