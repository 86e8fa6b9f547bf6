import { changeAccount, endSignInsOf, findAccounts, moreAccounts } from '../lib/account-actions.js'
import type { Account } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { day, t } from '../lib/language.js'
import { state } from '../lib/store.js'
import { button, field, form, outcome, panel, typed } from './parts.js'

function action(name: string, username: string, label: string, click: () => unknown): HTMLElement {
  return button(`${name}-${username}`, label, click, {
    class: 'small',
    'aria-label': t().accounts.of(label, username),
  })
}

function actions({ username, role, disabled }: Account): Child {
  const words = t().accounts
  const other = role === 'admin' ? 'user' : 'admin'
  return h(
    'div',
    { class: 'row' },
    action('role', username, other === 'admin' ? words.makeAdmin : words.makeUser, () =>
      changeAccount(username, { role: other }),
    ),
    action('disable', username, disabled ? words.enable : words.disable, () =>
      changeAccount(username, { disabled: !disabled }),
    ),
    action('end-of', username, words.endAll, () => endSignInsOf(username)),
  )
}

function row(account: Account): HTMLElement {
  const words = t().accounts
  const { username, role, disabled, created_at } = account
  const own = username === state().me?.user.username
  return h(
    'li',
    { class: disabled ? 'account disabled' : 'account' },
    h(
      'div',
      {},
      h(
        'p',
        { class: 'device-name' },
        h('span', { class: 'name' }, username),
        own && [' ', h('span', { class: 'badge this' }, words.you)],
        disabled && [' ', h('span', { class: 'badge off' }, words.disabled)],
      ),
      h('p', { class: 'fine' }, `${t().me.roles[role] ?? role} · ${words.since(day(created_at))}`),
    ),
    // No buttons on your own account, so that you cannot lock yourself out by mistake.
    own ? h('p', { class: 'fine own' }, words.youLine) : actions(account),
  )
}

function search(): HTMLElement {
  const words = t().accounts
  return form(
    'find-form',
    () => findAccounts(typed('find')),
    h(
      'div',
      { class: 'find' },
      field('find', words.find, { type: 'search', autocomplete: 'off', spellcheck: 'false' }),
      button('find-button', words.submit, null),
    ),
  )
}

/** The accounts, for administrators. */
export function accountsView(): Child {
  const { me, accounts, failures } = state()
  if (me?.user.role !== 'admin' || (!accounts && !failures.accounts)) return null
  const words = t().accounts
  const { accounts: rows = [], next = null } = accounts ?? {}
  return panel(
    'accounts',
    words.title,
    words.lead,
    search(),
    outcome('accounts'),
    rows.length > 0 && h('ul', { class: 'list', 'aria-labelledby': 'accounts-title' }, ...rows.map(row)),
    next !== null && button('more-accounts', words.more, () => moreAccounts(next)),
  )
}
