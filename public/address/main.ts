import * as answers from '../lib/answers.js'
import { call } from '../lib/api.js'
import { ask, doing } from '../lib/asking.js'
import { useMode } from '../lib/client.js'
import { anything, orNull, shape, text } from '../lib/decode.js'
import { byId, type Child, fill, h } from '../lib/dom.js'
import { language } from '../lib/language.js'
import { paintFrame, useOwnTexts } from '../lib/own-page.js'
import { focusOn, repaint } from '../lib/painting.js'
import { tell } from '../lib/say.js'
import { onChange, update } from '../lib/store.js'
import { loadTexts } from '../lib/texts.js'
import { button, emptied, faulty, field, form, isComplete, outcome, typed } from '../views/parts.js'
import { en, type Words, zh } from './text.js'

/* The page for the caller's e-mail address. */

const PLACE = 'address'

const withAddress = shape({ email: orNull(text) })

/** The confirmed address, or null; undefined: nobody is signed in. */
let address: string | null | undefined
/** Whether a code was sent. */
let isAsked = false

const words = (): Words => (language() === 'zh' ? zh : en)

async function send(): Promise<void> {
  if (!isComplete(PLACE, 'email')) return
  const email = typed('email')
  await doing(PLACE, async () => {
    if (!(await ask(PLACE, call('POST', '/email', anything, { email })))) return
    isAsked = true
    tell(PLACE, words().sent(email))
    focusOn('code')
  })
}

async function confirm(): Promise<void> {
  if (!isComplete(PLACE, 'code')) return
  await doing(PLACE, async () => {
    const body = { code: typed('code').trim() }
    const confirmed = await ask(PLACE, call('POST', '/email/confirm', withAddress, body))
    if (!confirmed) return
    address = confirmed.data.email
    isAsked = false
    emptied('email-form')
    tell(PLACE, words().confirmed)
    focusOn('title')
  })
}

function codeForm(): HTMLElement {
  return form(
    'code-form',
    confirm,
    field('code', words().code, {
      inputmode: 'numeric',
      autocomplete: 'one-time-code',
      maxlength: 8,
      required: true,
      ...faulty(PLACE, 'code', ['CODE_REFUSED', 'BODY_INVALID']),
    }),
    button('confirm', words().confirm, null, { class: 'primary' }),
  )
}

function emailForm(): HTMLElement {
  return form(
    'email-form',
    send,
    field('email', words().email, {
      type: 'email',
      autocomplete: 'email',
      maxlength: 254,
      required: true,
      ...faulty(PLACE, 'email', ['EMAIL_INVALID']),
    }),
    button('send', words().send, null),
  )
}

function panelView(): Child {
  if (address === undefined) return [h('p', {}, words().nobody), outcome(PLACE)]
  return [
    h('p', { id: 'present' }, address === null ? words().none : words().now(address)),
    outcome(PLACE),
    isAsked && codeForm(),
    emailForm(),
  ]
}

function mainView(): Child {
  return [
    h('h1', { id: 'title', tabindex: -1 }, words().title),
    h('p', { class: 'lead' }, words().lead),
    h('section', { class: 'panel', 'aria-labelledby': 'title' }, panelView()),
    h('p', {}, h('a', { href: '/' }, words().home)),
  ]
}

async function translate(): Promise<void> {
  await loadTexts()
  // Earlier outcomes are in the other language.
  update({ failures: {}, notices: {} })
}

function paint(): void {
  paintFrame(words().title, translate)
  fill('main', mainView())
}

/** Recognises the caller as the main page does: the refresh cookie brings a token. */
async function recognise(): Promise<void> {
  const settings = await ask(PLACE, call('GET', '/settings', answers.settings))
  if (!settings?.data.cookie_sent) return
  if (settings.data.refresh_sent) useMode('token')
  const user = await ask(PLACE, call('GET', '/user_info', withAddress))
  if (user) address = user.data.email
}

async function start(): Promise<void> {
  await useOwnTexts({ en: en.advice, zh: zh.advice })
  await recognise()
  onChange(() => repaint(paint))
  repaint(paint)
  byId('main').removeAttribute('aria-busy')
}

void start()
