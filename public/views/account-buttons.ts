import { factorTexts } from '../factors/text.js'
import { changeAccount, endSignInsOf, resetFactorsOf } from '../lib/account-actions.js'
import type { Account } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { tSignedIn } from '../lib/language.js'
import { confirmed } from './confirm.js'
import { button } from './parts.js'

const attributesOf = (label: string, username: string) => ({
  class: 'small',
  'aria-label': tSignedIn().accounts.of(label, username),
})

/** The buttons that change another account. Each asks first, except the one that enables it. */
export function actions({ username, role, disabled }: Account): Child {
  const words = tSignedIn().accounts
  const other = role === 'admin' ? 'user' : 'admin'
  const roleLabel = other === 'admin' ? words.makeAdmin : words.makeUser
  const id = (name: string) => `${name}-${username}`
  const changeDisabled = () => changeAccount(username, { disabled: !disabled })
  return h(
    'div',
    { class: 'row' },
    confirmed(
      id('role'),
      roleLabel,
      other === 'admin' ? words.sureAdmin(username) : words.sureUser(username),
      () => changeAccount(username, { role: other }),
      attributesOf(roleLabel, username),
    ),
    disabled
      ? button(id('disable'), words.enable, changeDisabled, attributesOf(words.enable, username))
      : confirmed(
          id('disable'),
          words.disable,
          words.sureDisable(username),
          changeDisabled,
          attributesOf(words.disable, username),
        ),
    confirmed(
      id('end-of'),
      words.endAll,
      words.sureEnd(username),
      () => endSignInsOf(username),
      attributesOf(words.endAll, username),
    ),
  )
}

/** Helps somebody who has lost all second factors. */
export function factorReset(username: string): HTMLElement {
  const { label, sure } = factorTexts().reset
  return confirmed(
    `reset-factors-${username}`,
    label,
    sure(username),
    () => resetFactorsOf(username),
    attributesOf(label, username),
  )
}
