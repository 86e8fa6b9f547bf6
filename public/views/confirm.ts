import { idle } from '../lib/asking.js'
import { type Attributes, h } from '../lib/dom.js'
import { tSignedIn } from '../lib/language.js'
import { focusOn } from '../lib/painting.js'
import { state, update } from '../lib/store.js'
import { button } from './parts.js'

/** The focus goes to "Cancel", so that pressing Enter twice does nothing. */
function askFirst(id: string): void {
  update({ confirming: id })
  focusOn(`${id}-no`)
}

function close(id: string): void {
  update({ confirming: null })
  focusOn(id)
}

/** A button for an action that is hard to undo. The first click asks, and the second one acts. */
export function confirmed(
  id: string,
  label: string,
  question: string,
  click: () => unknown,
  attributes: Attributes = {},
): HTMLElement {
  if (state().confirming !== id) return button(id, label, () => askFirst(id), attributes)
  const act = async () => {
    // The answer to a question is not lost because the page still loads something.
    await idle()
    if (state().confirming !== id) return
    // The action closes the question.
    void click()
    focusOn(id)
  }
  return h(
    'div',
    {
      class: 'confirm',
      role: 'group',
      'aria-label': question,
      keydown: (event) => {
        if (event instanceof KeyboardEvent && event.key === 'Escape') close(id)
      },
    },
    h('p', { class: 'fine' }, question),
    button(`${id}-yes`, label, act, { ...attributes, class: 'small danger' }),
    button(`${id}-no`, tSignedIn().cancel, () => close(id), { class: 'small' }),
  )
}
