import type { User } from '../lib/answers.js'
import { h } from '../lib/dom.js'
import { fromNow, tSignedIn } from '../lib/language.js'
import { changeDisplayName } from '../lib/profile-actions.js'
import { state } from '../lib/store.js'
import { badge, button, faulty, field, form, outcome, panel, typed, typeInto, when } from './parts.js'

async function submit(): Promise<void> {
  const kept = await changeDisplayName(typed('display-name').trim() || null)
  if (kept !== undefined) typeInto('display-name', kept ?? '')
}

/** The display name of the account, and its last sign-ins. */
export function profileView({ display_name, last_sign_ins }: User): HTMLElement {
  const words = tSignedIn().profile
  const rows = last_sign_ins.map(({ auth_type, time, ip }) =>
    h('li', {}, when(time, fromNow(time)), ' ', badge(auth_type), ip !== null && ` · ${ip}`),
  )
  return panel(
    'profile',
    words.title,
    '',
    form(
      'profile-form',
      submit,
      field(
        'display-name',
        words.name,
        {
          value: display_name ?? '',
          maxlength: 64,
          autocomplete: 'name',
          ...faulty('profile', 'display-name', ['DISPLAY_NAME_INVALID']),
        },
        words.hint,
      ),
      outcome('profile'),
      button('save-profile', words.submit, null),
    ),
    state().settings?.mail && h('p', {}, h('a', { href: '/address' }, words.email)),
    h('h3', { id: 'last-sign-ins' }, words.last),
    rows.length === 0
      ? h('p', { class: 'fine' }, words.none)
      : h('ul', { class: 'list events', 'aria-labelledby': 'last-sign-ins' }, ...rows),
  )
}
