import { changeAccount, loadAccounts } from '../lib/actions.js'
import type { Account } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { t } from '../lib/language.js'
import { state } from '../lib/store.js'
import { button, outcome, panel } from './parts.js'

type Change = Parameters<typeof changeAccount>[1]

function action(account: Account, name: string, label: string, change: Change): HTMLElement {
  const { username } = account
  return button(`${name}-${username}`, label, () => changeAccount(username, change), {
    class: 'small',
    'aria-label': t().accounts.of(label, username),
  })
}

function row(account: Account): HTMLElement {
  const words = t().accounts
  const { username, role, disabled } = account
  const other = role === 'admin' ? 'user' : 'admin'
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, username),
    h('td', {}, t().me.roles[role] ?? role),
    h('td', {}, disabled ? words.disabled : words.active),
    h(
      'td',
      { class: 'row' },
      action(account, 'role', other === 'admin' ? words.makeAdmin : words.makeUser, { role: other }),
      action(account, 'disable', disabled ? words.enable : words.disable, { disabled: !disabled }),
      action(account, 'end-of', words.endAll, 'end'),
    ),
  )
}

/** Every account, for administrators. */
export function accountsView(): Child {
  const { me, accounts, failures } = state()
  if (me?.user.role !== 'admin' || (!accounts && !failures.accounts)) return null
  const words = t().accounts
  const { next = null } = accounts ?? {}
  return panel(
    'accounts',
    words.title,
    words.lead,
    outcome('accounts'),
    h(
      'div',
      { class: 'wide', tabindex: 0, role: 'group', 'aria-labelledby': 'accounts-title' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...[words.name, words.role, words.state, words.actions].map((name) =>
              h('th', { scope: 'col' }, name),
            ),
          ),
        ),
        h('tbody', {}, ...(accounts?.accounts ?? []).map(row)),
      ),
    ),
    next !== null && button('more-accounts', words.more, () => loadAccounts(next)),
  )
}
