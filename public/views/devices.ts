import { factorTexts } from '../factors/text.js'
import type { SignIn } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { fromNow, moment, t, tSignedIn } from '../lib/language.js'
import { endSignIns, reloadDevices } from '../lib/own-actions.js'
import { focusOn } from '../lib/painting.js'
import { state, update } from '../lib/store.js'
import { confirmed } from './confirm.js'
import { badge, button, outcome, panel, when } from './parts.js'

const PROGRAMS = [
  ['Edge', /\bEdgA?\//],
  ['Firefox', /\bFirefox\//],
  ['Opera', /\bOPR\//],
  ['Chromium', /\b(Headless)?Chrom(e|ium)\//],
  ['Safari', /\bSafari\//],
  ['curl', /^curl\//],
] as const

const SYSTEMS = [
  ['Android', /\bAndroid\b/],
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['Linux', /\bLinux\b/],
] as const

/** A readable name. User agents can lie: it helps to recognise your own devices and proves nothing. */
function programOf(agent: string): string {
  const program = PROGRAMS.find(([, pattern]) => pattern.test(agent))?.[0]
  const system = SYSTEMS.find(([, pattern]) => pattern.test(agent))?.[0]
  if (program && system) return tSignedIn().devices.on(program, system)
  return program ?? (agent.slice(0, 40) || tSignedIn().devices.unknown)
}

/** How the user proved who they are. */
const factorLine = (factors: readonly string[]) =>
  factors.map((name) => factorTexts().by[name] ?? name).join(' + ')

/** What is said of a sign-in. */
export function deviceLines(signIn: SignIn): HTMLElement[] {
  const words = tSignedIn().devices
  return [
    h(
      'p',
      { class: 'device-name' },
      programOf(signIn.user_agent),
      ' ',
      badge(signIn.auth_type),
      signIn.current && [' ', h('span', { class: 'badge this' }, words.current)],
      signIn.factors && [' ', h('span', { class: 'fine factors' }, factorLine(signIn.factors))],
      signIn.bound && [' ', h('span', { class: 'badge this bound' }, words.bound)],
    ),
    h(
      'p',
      { class: 'fine' },
      `${signIn.ip} · `,
      when(signIn.created_at, words.since(moment(signIn.created_at))),
      ' · ',
      when(signIn.last_seen_at, words.seen(fromNow(signIn.last_seen_at))),
      ' · ',
      when(signIn.expires_at, words.ends(moment(signIn.expires_at))),
    ),
  ]
}

function row(signIn: SignIn): HTMLElement {
  const words = tSignedIn().devices
  const name = programOf(signIn.user_agent)
  const label = words.signOutOf(`${name}, ${t().modes[signIn.auth_type]}, ${moment(signIn.created_at)}`)
  return h(
    'li',
    { class: signIn.current ? 'device current' : 'device' },
    h('div', {}, ...deviceLines(signIn)),
    button(
      `end-${signIn.id}`,
      words.signOut,
      () => endSignIns(`/sign_ins/${encodeURIComponent(signIn.id)}`, signIn.current),
      { 'aria-label': label, class: 'small' },
    ),
  )
}

const MORE = 20

/** Keeps the focus, even if the button goes with the last page. */
function showMore(all: number): void {
  const devicesShown = state().devicesShown + MORE
  update({ devicesShown })
  if (devicesShown >= all) focusOn('devices-title')
}

/** The first sign-ins, with this device at the top. The rest comes on demand, so that the page stays short. */
function list(devices: readonly SignIn[]): Child {
  const words = tSignedIn().devices
  const { devicesShown } = state()
  const sorted = [...devices].sort((one, other) => Number(other.current) - Number(one.current))
  const shown = sorted.slice(0, devicesShown)
  return [
    h('ul', { class: 'list', 'aria-labelledby': 'devices-title' }, ...shown.map(row)),
    shown.length < devices.length &&
      h(
        'p',
        { class: 'row fine' },
        words.part(shown.length, devices.length),
        button('more-devices', words.more, () => showMore(devices.length), { class: 'small' }),
      ),
  ]
}

/** The sign-ins of the account, with buttons that end them. */
export function devicesView(): HTMLElement {
  const words = tSignedIn().devices
  const { devices } = state()
  return panel(
    'devices',
    words.title,
    words.lead,
    outcome('devices'),
    devices === null ? h('p', {}, tSignedIn().loading) : list(devices),
    h(
      'div',
      { class: 'row' },
      confirmed('end-others', words.others, words.sureOthers, () =>
        endSignIns('/sign_ins?except=current', false),
      ),
      confirmed('end-all', words.all, words.sureAll, () => endSignIns('/sign_ins', true), {
        class: 'danger',
      }),
      button('reload-devices', words.reload, reloadDevices, { class: 'quiet' }),
    ),
  )
}
