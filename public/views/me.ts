import type { Mode, User } from '../lib/answers.js'
import { h } from '../lib/dom.js'
import { t, tSignedIn } from '../lib/language.js'
import { signOut } from '../lib/own-actions.js'
import { badge, button, outcome } from './parts.js'

/** The signed-in user, and the mode that recognised them. */
export function meView({ user, mode }: { readonly user: User; readonly mode: Mode }): HTMLElement {
  const words = tSignedIn().me
  return h(
    'section',
    { class: 'panel me', 'aria-labelledby': 'title' },
    h('img', { class: 'avatar', src: user.avatar, alt: '', width: 64, height: 64 }),
    h(
      'div',
      { class: 'who' },
      h('h1', { id: 'title', tabindex: -1 }, words.title(user.display_name ?? user.username)),
      h(
        'dl',
        { class: 'facts' },
        user.display_name !== null &&
          h('div', {}, h('dt', {}, t().signIn.username), h('dd', {}, user.username)),
        h('div', {}, h('dt', {}, words.role), h('dd', { id: 'role' }, words.roles[user.role] ?? user.role)),
        h(
          'div',
          {},
          h('dt', {}, words.recognised),
          h('dd', { id: 'recognised', 'data-mode': mode }, badge(mode)),
        ),
      ),
      h('p', { class: 'fine' }, words.how[mode]),
    ),
    h('div', { class: 'side' }, button('sign-out', words.signOut, signOut)),
    outcome('me'),
  )
}
