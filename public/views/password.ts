import { h } from '../lib/dom.js'
import { t, tSignedIn } from '../lib/language.js'
import { changePassword } from '../lib/own-actions.js'
import { state } from '../lib/store.js'
import { button, emptied, faulty, field, form, isComplete, outcome, panel, typed } from './parts.js'

async function submit(): Promise<void> {
  if (!isComplete('password', 'current-password', 'new-password')) return
  if (await changePassword(typed('current-password'), typed('new-password'))) emptied('password-form')
}

/** The form for a new password. */
export function passwordView(): HTMLElement {
  const words = tSignedIn().password
  return panel(
    'password-panel',
    words.title,
    words.lead,
    form(
      'password-form',
      submit,
      // For password managers, which need the username.
      h('input', {
        type: 'text',
        name: 'username',
        autocomplete: 'username',
        value: state().me?.user.username,
        hidden: true,
        readonly: true,
      }),
      h(
        'div',
        { class: 'pair' },
        field('current-password', words.current, {
          type: 'password',
          autocomplete: 'current-password',
          required: true,
          ...faulty('password', 'current-password', ['CREDENTIALS_REFUSED']),
        }),
        field(
          'new-password',
          words.next,
          {
            type: 'password',
            autocomplete: 'new-password',
            required: true,
            ...faulty('password', 'new-password', ['PASSWORD_REFUSED']),
          },
          t().register.rule,
        ),
      ),
      outcome('password'),
      button('change-password', words.submit, null),
    ),
  )
}
