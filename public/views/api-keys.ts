import type { ApiKey, MadeKey } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { copyKey, endKey, hideKey, makeKey } from '../lib/key-actions.js'
import { fromNow, moment, tSignedIn } from '../lib/language.js'
import { state } from '../lib/store.js'
import {
  button,
  emptied,
  faulty,
  field,
  form,
  isChecked,
  isComplete,
  outcome,
  panel,
  typed,
  when,
} from './parts.js'

async function submit(): Promise<void> {
  if (!isComplete('keys', 'key-name')) return
  const wanted = { name: typed('key-name'), days: typed('key-days'), write: isChecked('key-write') }
  if (await makeKey(wanted)) emptied('key-form')
}

/** The key itself. A reload, a sign-out and the button take it off the page. */
function shownKey({ key, name }: MadeKey): HTMLElement {
  const words = tSignedIn().keys
  return h(
    'div',
    { class: 'box good' },
    h('p', { class: 'box-title' }, words.shown(name)),
    h('p', {}, h('code', { id: 'new-key', class: 'new-key', tabindex: -1 }, key)),
    h('p', { class: 'fine' }, words.once),
    h(
      'div',
      { class: 'row' },
      // Browsers have no clipboard on plain http, except on this machine.
      'clipboard' in navigator && button('copy-key', words.copy, () => copyKey(key), { class: 'small' }),
      button('hide-key', words.hide, hideKey, { class: 'small quiet' }),
    ),
  )
}

/** What is said of a key. */
export function keyLine(key: ApiKey): HTMLElement {
  const words = tSignedIn().keys
  const used = key.last_used_at
  const scopes = key.scopes.map((scope) => [
    ' ',
    h('span', { class: 'badge api_key' }, words.scopes[scope] ?? scope),
  ])
  return h(
    'div',
    {},
    h('p', { class: 'device-name' }, key.name, ...scopes),
    h(
      'p',
      { class: 'fine' },
      h('code', {}, key.id),
      ' · ',
      used === null ? words.unused : when(used, words.used(fromNow(used))),
      ' · ',
      when(key.expires_at, words.expires(moment(key.expires_at))),
    ),
  )
}

function row(key: ApiKey): HTMLElement {
  const words = tSignedIn().keys
  return h(
    'li',
    { class: 'device key' },
    keyLine(key),
    button(`end-key-${key.id}`, words.end, () => endKey(key.id), {
      'aria-label': words.endOf(`${key.name}, ${key.id}`),
      class: 'small',
    }),
  )
}

function list(keys: readonly ApiKey[] | null): Child {
  const words = tSignedIn().keys
  if (keys === null) return h('p', {}, tSignedIn().loading)
  if (keys.length === 0) return h('p', { class: 'fine' }, words.none)
  return h('ul', { class: 'list', 'aria-labelledby': 'keys-title' }, ...keys.map(row))
}

/** The API keys of the account, with a form that makes one. */
export function apiKeysView(): HTMLElement {
  const words = tSignedIn().keys
  const { keys, newKey } = state()
  return panel(
    'keys',
    words.title,
    words.lead,
    outcome('keys'),
    newKey && shownKey(newKey),
    list(keys),
    form(
      'key-form',
      submit,
      h(
        'div',
        { class: 'pair' },
        field(
          'key-name',
          words.name,
          {
            required: true,
            maxlength: 100,
            autocomplete: 'off',
            ...faulty('keys', 'key-name', ['BODY_INVALID']),
          },
          words.nameHint,
        ),
        field(
          'key-days',
          words.days,
          { type: 'number', min: 1, step: 1, inputmode: 'numeric', autocomplete: 'off' },
          words.daysHint,
        ),
      ),
      h(
        'div',
        { class: 'remember' },
        h('input', { id: 'key-write', type: 'checkbox' }),
        h('label', { for: 'key-write' }, words.write),
      ),
      button('make-key', words.submit, null),
    ),
  )
}
