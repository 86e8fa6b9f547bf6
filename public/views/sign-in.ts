import { register, signIn } from '../lib/actions.js'
import { MODES, type Mode } from '../lib/answers.js'
import { type Child, focusOn, h } from '../lib/dom.js'
import { t } from '../lib/language.js'
import { clear, tell } from '../lib/say.js'
import { state, update } from '../lib/store.js'
import { button, emptied, field, form, outcome, typed } from './parts.js'

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

function isChecked(id: string): boolean {
  const element = document.getElementById(id)
  return element instanceof HTMLInputElement && element.checked
}

function trySignIn(): unknown {
  const [username, password] = [typed('username'), typed('password')]
  if (username !== '' && password !== '') return signIn(username, password, isChecked('remember'))
  tell('sign-in', t().signIn.incomplete)
  return focusOn(username === '' ? 'username' : 'password')
}

function signInForm(): HTMLElement {
  const { signIn: words, modes } = t()
  return form(
    'sign-in',
    trySignIn,
    h('fieldset', {}, h('legend', {}, words.ways), h('div', { class: 'ways' }, ...MODES.map(way))),
    field('username', words.username, {
      autocomplete: 'username',
      autocapitalize: 'none',
      spellcheck: 'false',
      required: true,
    }),
    field('password', words.password, {
      type: 'password',
      autocomplete: 'current-password',
      required: true,
    }),
    rememberMe(),
    outcome('sign-in'),
    button('sign-in-button', words.submit(modes[state().chosen]), null, { class: 'primary' }),
    state().settings?.inspector && h('p', { class: 'fine sample' }, words.sample),
  )
}

async function tryRegister(): Promise<void> {
  clear('register')
  if (await register(typed('new-username'), typed('register-password'))) {
    emptied('register-form')
    focusOn('username')
  }
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
      }),
      field(
        'register-password',
        words.password,
        { type: 'password', autocomplete: 'new-password', required: true },
        words.rule,
      ),
      outcome('register'),
      button('register-button', words.submit, null),
    ),
  )
}

/** What somebody sees who is not signed in. */
export function signInView(): Child {
  return [
    h('h1', { id: 'title', tabindex: -1 }, t().signIn.title),
    h('p', { class: 'lead' }, t().signIn.lead),
    outcome('page'),
    h('section', { class: 'panel', 'aria-labelledby': 'title' }, signInForm()),
    registration(),
  ]
}
