import { type Given, inOrder, type ProofKind, proofView } from '../factors/proof-form.js'
import { call } from '../lib/api.js'
import { ask, doing } from '../lib/asking.js'
import { anything } from '../lib/decode.js'
import { byId, type Child, fill, h } from '../lib/dom.js'
import { asked } from '../lib/factor-answers.js'
import { language, t } from '../lib/language.js'
import { paintFrame, useOwnTexts } from '../lib/own-page.js'
import { focusOn, repaint } from '../lib/painting.js'
import { cleared, complain, tell } from '../lib/say.js'
import { onChange, state, update } from '../lib/store.js'
import { loadTexts } from '../lib/texts.js'
import { button, faulty, field, form, isComplete, outcome, typed } from '../views/parts.js'
import { en, type Words, zh } from './text.js'

/* The page for a forgotten password. The mailed link has the token after `#`, which browsers send to no server. */

const PLACE = 'forgotten'

let token = ''
/** Whether the password was set. */
let isSet = false
/** The new password, kept until the user has given the second factor. */
let password = ''
/** The factors that the server accepts. */
let kinds: readonly ProofKind[] = []
let chosen: ProofKind = 'totp'

const words = (): Words => (language() === 'zh' ? zh : en)

/** Removes the token from the address, so that the history and a copied address do not contain it. */
function takeToken(): void {
  const [, found] = /^#reset=([\w-]{1,256})$/.exec(location.hash) ?? []
  if (found === undefined) return
  token = found
  isSet = false
  kinds = []
  history.replaceState(null, '', location.pathname)
  update({ failures: {}, notices: {} })
}

async function send(): Promise<void> {
  const [username, email] = [typed('username'), typed('email')]
  if ((username === '') === (email === '')) {
    complain(PLACE, {
      status: 0,
      code: 'ONE_OF_TWO',
      msg: words().advice.ONE_OF_TWO,
      reason: null,
      retryAt: null,
    })
    return focusOn('username')
  }
  const body = username === '' ? { email } : { username }
  await doing(PLACE, async () => {
    if (await ask(PLACE, call('POST', '/password/forgot', anything, body))) tell(PLACE, words().ask.done)
  })
}

/** Sends the new password, with the proof of a second factor if the server has asked for one. */
async function reset(given: Given | null = null): Promise<void> {
  const body = { token, new_password: password, ...given }
  const outcome = await call('POST', '/password/reset', anything, body)
  if (!outcome.ok && outcome.failure.code === 'SECOND_FACTOR_REQUIRED') {
    kinds = inOrder(asked(outcome.failure.data).factors)
    chosen = kinds[0] ?? 'totp'
    update({})
    return focusOn(chosen === 'passkey' ? 'give-passkey' : 'proof')
  }
  // The link still works after a wrong proof.
  if (!(await ask(PLACE, Promise.resolve(outcome)))) return
  token = password = ''
  kinds = []
  isSet = true
  tell(PLACE, words().reset.done)
  focusOn('title')
}

async function sendReset(): Promise<void> {
  if (!isComplete(PLACE, 'new-password')) return
  password = typed('new-password')
  await doing(PLACE, reset)
}

function startAgain(): void {
  token = password = ''
  kinds = []
  update({ failures: {}, notices: {} })
  focusOn('username')
}

function askView(): Child {
  const { username, email, submit } = words().ask
  return form(
    'ask-form',
    send,
    field('username', username, {
      autocomplete: 'username',
      autocapitalize: 'none',
      spellcheck: 'false',
      maxlength: 256,
      ...faulty(PLACE, 'username', ['ONE_OF_TWO']),
    }),
    field('email', email, {
      type: 'email',
      autocomplete: 'email',
      maxlength: 254,
      ...faulty(PLACE, 'email', ['ONE_OF_TWO']),
    }),
    outcome(PLACE),
    button('send', submit, null, { class: 'primary' }),
  )
}

const isRefused = () => state().failures[PLACE]?.code === 'RESET_REFUSED'

function resetView(): Child {
  const { password, submit, again } = words().reset
  return form(
    'reset-form',
    sendReset,
    field(
      'new-password',
      password,
      {
        type: 'password',
        autocomplete: 'new-password',
        required: true,
        ...faulty(PLACE, 'new-password', ['PASSWORD_REFUSED']),
      },
      t().register.rule,
    ),
    outcome(PLACE),
    button('set', submit, null, { class: 'primary' }),
    isRefused() && button('again', again, startAgain),
  )
}

function factorView(): Child {
  return [
    proofView({
      place: PLACE,
      kinds,
      chosen,
      choose(kind) {
        chosen = kind
        update(cleared(PLACE))
      },
      options: () => call('POST', '/passkeys/challenge', anything, { token }),
      doing: (action) => doing(PLACE, action),
      give: reset,
    }),
    isRefused() && button('again', words().reset.again, startAgain),
  ]
}

function mainView(): Child {
  const { title, lead } = token !== '' || isSet ? words().reset : words().ask
  const inside =
    kinds.length > 0 ? factorView() : token !== '' ? resetView() : isSet ? outcome(PLACE) : askView()
  const link = h('p', {}, h('a', { href: '/' }, words().home))
  return [
    h('h1', { id: 'title', tabindex: -1 }, title),
    !isSet && h('p', { class: 'lead' }, kinds.length > 0 ? words().reset.factor : lead),
    h('section', { class: 'panel', 'aria-labelledby': 'title' }, inside),
    link,
  ]
}

async function translate(): Promise<void> {
  await loadTexts()
  // The outcomes on the page are in the other language.
  update({ failures: {}, notices: isSet ? { [PLACE]: words().reset.done } : {} })
}

function paint(): void {
  const { title } = token !== '' || isSet ? words().reset : words().ask
  paintFrame(title, translate)
  fill('main', mainView())
  byId('main').removeAttribute('aria-busy')
}

async function start(): Promise<void> {
  await useOwnTexts({ en: en.advice, zh: zh.advice })
  onChange(() => repaint(paint))
  takeToken()
  repaint(paint)
  window.addEventListener('hashchange', takeToken)
}

void start()
