import { closeAccount } from '../lib/account-actions.js'
import type { AccountShown } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { day, tSignedIn } from '../lib/language.js'
import { state } from '../lib/store.js'
import { actions, factorReset } from './account-buttons.js'
import { keyLine } from './api-keys.js'
import { deviceLines } from './devices.js'
import { eventsList } from './events.js'
import { button } from './parts.js'

function part(id: string, title: string, items: readonly HTMLElement[], none: string): Child {
  return [
    h('h4', { id }, title),
    items.length === 0
      ? h('p', { class: 'fine' }, none)
      : h('ul', { class: 'list', 'aria-labelledby': id }, ...items),
  ]
}

/** One account, for administrators, in the place of the list. */
export function accountView(account: AccountShown): HTMLElement {
  const { account: words, accounts, me } = tSignedIn()
  const { username, display_name, role, disabled, created_at, sign_ins, keys, events } = account
  const own = username === state().me?.user.username
  const signIns = sign_ins.map((each) => h('li', { class: 'device' }, h('div', {}, ...deviceLines(each))))
  return h(
    'div',
    { class: 'account-page' },
    button('close-account', words.back, closeAccount, { class: 'small quiet' }),
    h(
      'h3',
      { id: 'account-title', tabindex: -1 },
      username,
      disabled && [' ', h('span', { class: 'badge off' }, accounts.disabled)],
    ),
    h(
      'p',
      { class: 'fine' },
      [display_name, me.roles[role] ?? role, accounts.since(day(created_at))].filter(Boolean).join(' · '),
    ),
    own ? h('p', { class: 'fine own' }, accounts.youLine) : [actions(account), factorReset(username)],
    part('account-sign-ins', words.signIns, signIns, words.noSignIns),
    part(
      'account-keys',
      words.keys,
      keys.map((key) => h('li', { class: 'device' }, keyLine(key))),
      words.noKeys,
    ),
    h('h4', { id: 'account-events' }, words.eventsTitle),
    eventsList(events, 'account-events'),
  )
}
