import { register, signIn, start } from '../lib/actions.js'
import { MODES, type Mode } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { t } from '../lib/language.js'
import { secondStep } from '../lib/later.js'
import { focusOn } from '../lib/painting.js'
import { hasPasskeys } from '../lib/passkey-offer.js'
import { state, update } from '../lib/store.js'
import {
  button,
  emptied,
  faulty,
  field,
  form,
  isChecked,
  isComplete,
  outcome,
  typed,
  typeInto,
} from './parts.js'

function way(mode: Mode): HTMLElement {
  const id = `way-${mode}`
  const checked = state().chosen === mode
  return h(
    'div',
    { class: `way ${mode}` },
    h('input', {
      id,
      type: 'radio',
      name: 'way',
      value: mode,
      checked,
      'aria-describedby': `${id}-line`,
      change: () => update({ chosen: mode }),
    }),
    h('label', { for: id }, t().modes[mode]),
    h('p', { class: 'fine', id: `${id}-line` }, t().modeLines[mode]),
  )
}

function rememberMe(): Child {
  if (state().chosen === 'token') return h('p', { class: 'fine remember' }, t().signIn.noRemember)
  return h(
    'p',
    { class: 'remember' },
    h('input', { id: 'remember', type: 'checkbox' }),
    h('label', { for: 'remember' }, t().signIn.remember),
  )
}

async function tryPasskey(): Promise<void> {
  const { chosen } = state()
  await (await secondStep.load())?.signInByPasskey(chosen !== 'token' && isChecked('remember'))
}

/** Passkeys work only at one domain name, and never at an IP address. */
function passkeys(): Child {
  const { signIn: words } = t()
  const origin = state().settings?.passkey_origin
  if (hasPasskeys()) return button('passkey-button', words.passkey, tryPasskey)
  return (
    origin && origin !== location.origin && h('p', {}, h('a', { href: origin }, words.passkeysAt(origin)))
  )
}

function trySignIn(): unknown {
  if (!isComplete('sign-in', 'username', 'password')) return
  return signIn(typed('username'), typed('password'), isChecked('remember'))
}

function signInForm(): HTMLElement {
  const { signIn: words, modes } = t()
  return form(
    'sign-in',
    trySignIn,
    h('fieldset', {}, h('legend', {}, words.ways), h('div', { class: 'ways' }, ...MODES.map(way))),
    field('username', words.username, {
      autocomplete: 'username webauthn',
      value: state().triedName || null,
      autocapitalize: 'none',
      spellcheck: 'false',
      required: true,
      ...faulty('sign-in', 'username', ['CREDENTIALS_REFUSED']),
    }),
    field('password', words.password, {
      type: 'password',
      autocomplete: 'current-password',
      required: true,
      ...faulty('sign-in', 'password', ['CREDENTIALS_REFUSED']),
    }),
    rememberMe(),
    outcome('sign-in'),
    button('sign-in-button', words.submit(modes[state().chosen]), null, { class: 'primary' }),
    passkeys(),
    state().settings?.mail && h('p', {}, h('a', { href: '/forgotten' }, words.forgot)),
    state().settings?.inspector && h('p', { class: 'fine sample' }, words.sample),
  )
}

async function tryRegister(): Promise<void> {
  if (!isComplete('register', 'new-username', 'register-password')) return
  const username = typed('new-username')
  if (!(await register(username, typed('register-password')))) return
  emptied('register-form')
  // The form above may still hold another account's password.
  typeInto('password', '')
  typeInto('username', username)
  focusOn('password')
}

function registration(): Child {
  if (state().settings?.registration !== 'open') return null
  const words = t().register
  return h(
    'details',
    { id: 'register', class: 'panel' },
    h('summary', { id: 'register-summary' }, words.title),
    form(
      'register-form',
      tryRegister,
      field('new-username', words.username, {
        autocomplete: 'username',
        autocapitalize: 'none',
        spellcheck: 'false',
        required: true,
        ...faulty('register', 'new-username', ['USERNAME_TAKEN', 'USERNAME_INVALID']),
      }),
      field(
        'register-password',
        words.password,
        {
          type: 'password',
          autocomplete: 'new-password',
          required: true,
          ...faulty('register', 'register-password', ['PASSWORD_REFUSED']),
        },
        words.rule,
      ),
      outcome('register'),
      button('register-button', words.submit, null),
    ),
  )
}

/** The page without a signed-in user. */
export function signInView(): Child {
  const { settings, failures } = state()
  return [
    h('h1', { id: 'title', tabindex: -1 }, t().signIn.title),
    h('p', { class: 'lead' }, t().signIn.lead),
    outcome('page'),
    !settings && failures.page && button('try-again', t().failure.again, start),
    h('section', { class: 'panel', 'aria-labelledby': 'title' }, signInForm()),
    registration(),
  ]
}
