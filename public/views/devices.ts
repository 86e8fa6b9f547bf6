import { endSignIns, reloadDevices } from '../lib/actions.js'
import type { SignIn } from '../lib/answers.js'
import { h } from '../lib/dom.js'
import { fromNow, moment, t } from '../lib/language.js'
import { state } from '../lib/store.js'
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
  if (program && system) return t().devices.on(program, system)
  return program ?? (agent.slice(0, 40) || t().devices.unknown)
}

function row(signIn: SignIn): HTMLElement {
  const words = t().devices
  const name = programOf(signIn.user_agent)
  const label = words.signOutOf(`${name}, ${t().modes[signIn.auth_type]}, ${moment(signIn.created_at)}`)
  return h(
    'li',
    { class: signIn.current ? 'device current' : 'device' },
    h(
      'div',
      {},
      h(
        'p',
        { class: 'device-name' },
        name,
        ' ',
        badge(signIn.auth_type),
        signIn.current && [' ', h('span', { class: 'badge this' }, words.current)],
      ),
      h(
        'p',
        { class: 'fine' },
        `${signIn.ip} · `,
        when(signIn.last_seen_at, words.seen(fromNow(signIn.last_seen_at))),
        ' · ',
        when(signIn.expires_at, words.ends(moment(signIn.expires_at))),
      ),
    ),
    button(
      `end-${signIn.id}`,
      words.signOut,
      () => endSignIns(`/sign_ins/${encodeURIComponent(signIn.id)}`, signIn.current),
      { 'aria-label': label, class: 'small' },
    ),
  )
}

/** The sign-ins of the account, with buttons that end them. */
export function devicesView(): HTMLElement {
  const words = t().devices
  const { devices } = state()
  return panel(
    'devices',
    words.title,
    words.lead,
    outcome('devices'),
    devices === null
      ? h('p', {}, t().loading)
      : h('ul', { class: 'list', 'aria-labelledby': 'devices-title' }, ...devices.map(row)),
    h(
      'div',
      { class: 'row' },
      button('end-others', words.others, () => endSignIns('/sign_ins?except=current', false)),
      button('end-all', words.all, () => endSignIns('/sign_ins', true), { class: 'danger' }),
      button('reload-devices', words.reload, reloadDevices, { class: 'quiet' }),
    ),
  )
}
