import { type Child, h } from '../lib/dom.js'
import type { Factor, NewTotp } from '../lib/factor-answers.js'
import { fromNow, moment } from '../lib/language.js'
import { focusOn } from '../lib/painting.js'
import { hasPasskeys } from '../lib/passkey-offer.js'
import { state, update } from '../lib/store.js'
import { confirmed } from '../views/confirm.js'
import {
  button,
  emptied,
  faulty,
  field,
  form,
  isComplete,
  outcome,
  panel,
  typed,
  when,
} from '../views/parts.js'
import { codesView } from './codes.js'
import {
  addPasskey,
  beginTotp,
  cancelTotp,
  confirmTotp,
  makeCodes,
  removeFactor,
  renameFactor,
} from './factor-actions.js'
import { factorTexts } from './text.js'

const PLACE = 'factors'
const FEW = 3
const NAME = { maxlength: 100, autocomplete: 'off' }

function rename(id: string | null, focus: string): void {
  update({ renaming: id })
  focusOn(focus)
}

function renameForm({ id, name }: Factor): HTMLElement {
  const words = factorTexts().panel
  const submit = () => isComplete(PLACE, 'factor-name') && renameFactor(id, typed('factor-name').trim())
  const attributes = { ...NAME, value: name, required: true }
  return form(
    'rename-form',
    submit,
    field('factor-name', words.name, { ...attributes, ...faulty(PLACE, 'factor-name', ['BODY_INVALID']) }),
    h(
      'div',
      { class: 'row' },
      button('save-name', words.save, null, { class: 'small' }),
      button('cancel-name', words.cancel, () => rename(null, `rename-${id}`), { class: 'small quiet' }),
    ),
  )
}

function lines({ kind, name, created_at, last_used_at, left }: Factor): HTMLElement {
  const { kinds, panel: words } = factorTexts()
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'device-name' },
      name,
      name !== kinds[kind] && [' ', h('span', { class: 'badge this' }, kinds[kind])],
    ),
    h(
      'p',
      { class: 'fine' },
      when(created_at, words.added(moment(created_at))),
      ' · ',
      last_used_at === null ? words.unused : when(last_used_at, words.used(fromNow(last_used_at))),
      left !== null && ` · ${words.left(left)}`,
      left !== null && left <= FEW && [' · ', h('strong', {}, words.few)],
    ),
  )
}

/** The account has only one factor besides its recovery codes. */
const isLast = () => state().factors?.filter(({ kind }) => kind !== 'recovery_code').length === 1

function row(factor: Factor): HTMLElement {
  const { kinds, panel: words } = factorTexts()
  const { id, kind } = factor
  const name = factor.name || kinds[kind]
  const attributes = (action: string) => ({ class: 'small', 'aria-label': words.of(action, name) })
  const buttons = [
    button(`rename-${id}`, words.rename, () => rename(id, 'factor-name'), attributes(words.rename)),
    confirmed(
      `remove-${id}`,
      words.remove,
      isLast() ? words.sureLast(name) : words.sureRemove(name),
      () => removeFactor(id),
      attributes(words.remove),
    ),
  ]
  return h(
    'li',
    { class: 'device factor', 'data-kind': kind },
    lines({ ...factor, name }),
    // All codes are one factor. Removing the last other factor removes it too.
    kind !== 'recovery_code' && h('div', { class: 'row' }, ...buttons),
    state().renaming === id && renameForm(factor),
  )
}

function list(factors: readonly Factor[]): Child {
  if (factors.length === 0) return h('p', { class: 'fine' }, factorTexts().panel.none)
  return h('ul', { class: 'list', 'aria-labelledby': 'factors-title' }, ...factors.map(row))
}

function submitTotp(): unknown {
  if (!isComplete(PLACE, 'totp-code')) return
  return confirmTotp(typed('totp-code').replaceAll(/\s/g, ''), typed('totp-name').trim())
}

/** The secret, as a QR code and as text, and a form for its first code. */
function totpForm({ qr, secret }: NewTotp): HTMLElement {
  const { totp: words, panel: common } = factorTexts()
  const code = {
    inputmode: 'numeric',
    autocomplete: 'one-time-code',
    maxlength: 12,
    required: true,
    ...faulty(PLACE, 'totp-code', ['FACTOR_REFUSED']),
  }
  return form(
    'totp-form',
    submitTotp,
    h('h3', {}, words.title),
    h('p', {}, words.scan),
    h('img', { class: 'qr', src: qr, alt: words.picture, width: 200, height: 200 }),
    h('p', {}, words.type),
    h('p', {}, h('code', { id: 'totp-secret' }, secret.match(/.{1,4}/g)?.join(' ') ?? '')),
    h(
      'div',
      { class: 'pair' },
      field('totp-code', words.code, code, words.codeHint),
      field('totp-name', common.name, NAME, common.nameHint),
    ),
    h(
      'div',
      { class: 'row' },
      button('confirm-totp', words.submit, null),
      button('cancel-totp', common.cancel, cancelTotp, { class: 'quiet' }),
    ),
  )
}

async function submitPasskey(): Promise<void> {
  if (await addPasskey(typed('passkey-name').trim())) emptied('passkey-form')
}

function passkeyForm(): Child {
  const words = factorTexts().panel
  const origin = state().settings?.passkey_origin
  if (!hasPasskeys()) return origin && h('p', {}, h('a', { href: origin }, factorTexts().elsewhere(origin)))
  return form(
    'passkey-form',
    submitPasskey,
    field('passkey-name', words.passkeyName, NAME, words.nameHint),
    button('add-passkey', words.addPasskey, null),
  )
}

/** The second factors of the account. */
export function factorsView(): Child {
  const { factors, newTotp, newCodes, failures } = state()
  if (!factors && !failures[PLACE]) return null
  const words = factorTexts().panel
  return panel(
    'factors',
    words.title,
    words.lead,
    outcome(PLACE),
    newCodes && codesView(newCodes),
    list(factors ?? []),
    newTotp ? totpForm(newTotp) : h('div', { class: 'row' }, button('add-totp', words.addTotp, beginTotp)),
    passkeyForm(),
    (factors ?? []).length > 0 &&
      h(
        'div',
        { class: 'row' },
        confirmed('new-codes', words.newCodes, words.sureCodes, makeCodes, { class: 'quiet' }),
      ),
  )
}
