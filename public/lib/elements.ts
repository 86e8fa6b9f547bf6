import icon from '../icon.svg'
import { type Attributes, type Child, h } from './dom.js'

/* Elements that the page and the lab share. */

/** The name of the site, with its picture. */
export function brand(title: string): HTMLElement {
  const picture = h('img', { src: icon, alt: '', width: 28, height: 28 })
  return h('p', { class: 'brand' }, picture, title)
}

/** A part of the page. Its heading can take the focus. */
export function panel(name: string, title: string, lead: string, ...children: Child[]): HTMLElement {
  const id = `${name}-title`
  return h(
    'section',
    { class: 'panel', id: name, 'aria-labelledby': id },
    h('h2', { id, tabindex: -1 }, title),
    lead !== '' && h('p', { class: 'lead' }, lead),
    ...children,
  )
}

/** Makes the function for buttons. They are disabled while a call is under way, without losing the focus. */
export function buttons(isBusy: () => boolean) {
  return function button(
    id: string,
    label: string,
    click: (() => unknown) | null,
    attributes: Attributes = {},
  ): HTMLElement {
    return h(
      'button',
      {
        id,
        type: click ? 'button' : 'submit',
        'aria-disabled': isBusy(),
        ...(click ? { click: () => void click() } : {}),
        ...attributes,
      },
      label,
    )
  }
}

/** A form that the page sends itself. */
export function form(id: string, submit: () => unknown, ...children: Child[]): HTMLFormElement {
  const send = (event: Event) => {
    event.preventDefault()
    void submit()
  }
  return h('form', { id, novalidate: true, submit: send }, ...children)
}
