import { findAccounts, moreAccounts, showAccount } from '../lib/account-actions.js'
import type { Account } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { day, tSignedIn } from '../lib/language.js'
import { state } from '../lib/store.js'
import { accountView } from './account.js'
import { actions } from './account-buttons.js'
import { button, field, form, outcome, panel, typed } from './parts.js'

function row(account: Account): HTMLElement {
  const words = tSignedIn().accounts
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
      h('p', { class: 'fine' }, `${tSignedIn().me.roles[role] ?? role} · ${words.since(day(created_at))}`),
    ),
    button(`show-${username}`, words.show, () => showAccount(username), {
      class: 'small quiet',
      'aria-label': words.of(words.show, username),
    }),
    // No buttons on your own account, so that you cannot lock yourself out by mistake.
    own ? h('p', { class: 'fine own' }, words.youLine) : actions(account),
  )
}

function search(): HTMLElement {
  const words = tSignedIn().accounts
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
  const { me, accounts, account, failures } = state()
  if (me?.user.role !== 'admin' || (!accounts && !failures.accounts)) return null
  const words = tSignedIn().accounts
  if (account) return panel('accounts', words.title, words.lead, outcome('accounts'), accountView(account))
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
