import type { Inspection, Mode } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { lasting, moment, tSignedIn } from '../lib/language.js'
import { state } from '../lib/store.js'
import { tokens } from '../lib/tokens.js'
import { carriedView } from './carried.js'
import { badge } from './parts.js'
import { tokenView } from './token.js'

const MOMENT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

function shown(name: string, value: unknown): string {
  const { yes, no, none } = tSignedIn().inspector
  if (name === 'role') return tSignedIn().me.roles[String(value)] ?? String(value)
  if (value === null || (Array.isArray(value) && value.length === 0)) return none
  if (typeof value === 'boolean') return value ? yes : no
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' && MOMENT.test(value) ? moment(value) : String(value)
}

/** A list of fields with their names. */
function fields(id: string, title: string, record: object | null): Child {
  if (!record) return null
  const { names } = tSignedIn().inspector
  // Only a token is ever refreshed.
  const present = Object.entries(record).filter(([name, value]) => name !== 'refreshed' || value !== null)
  return [
    h('h3', {}, title),
    h(
      'dl',
      { class: 'fields', id },
      ...present.map(([name, value]) => [h('dt', {}, names[name] ?? name), h('dd', {}, shown(name, value))]),
    ),
  ]
}

function cookieView({ cookie }: Inspection): Child {
  if (!cookie) return null
  const { why, attributes, script, nothing, colon, notSet } = tSignedIn().inspector
  const { max_age, secure } = cookie
  const unset = (name: string) => [h('code', {}, name), ' ', h('span', { class: 'badge this' }, notSet)]
  const rows = [
    [cookie.name, cookie.name.startsWith('__Host-') ? why.name_host : why.name_plain],
    ['HttpOnly', why.http_only],
    [`SameSite=${cookie.same_site === 'lax' ? 'Lax' : cookie.same_site}`, why.same_site],
    [`Path=${cookie.path}`, why.path],
    [secure ? 'Secure' : unset('Secure'), secure ? why.secure : why.insecure],
    [
      max_age === null ? unset('Max-Age') : `Max-Age=${max_age}`,
      max_age === null ? why.no_max_age : why.max_age(lasting(max_age)),
    ],
  ] as const
  return [
    h('h3', {}, attributes),
    h(
      'dl',
      { class: 'why', id: 'attributes' },
      ...rows.map(([name, reason]) => [
        h('dt', {}, typeof name === 'string' ? h('code', {}, name) : name),
        h('dd', {}, reason),
      ]),
    ),
    h(
      'p',
      { class: 'proof' },
      `${script}${colon}`,
      h(
        'code',
        { id: 'script-sees' },
        `document.cookie → ${document.cookie === '' ? nothing : document.cookie}`,
      ),
    ),
  ]
}

function reader(can: boolean, who: string, why: string): HTMLElement {
  const { canRead, cannotRead, colon } = tSignedIn().inspector
  return h(
    'li',
    { class: can ? 'can' : 'cannot' },
    h('strong', {}, who),
    ` ${can ? canRead : cannotRead}${colon}${why}`,
  )
}

/** The readers of the credential. */
function readers(mode: Mode): Child {
  const { who, reads, changer, colon, readers: title } = tSignedIn().inspector
  return [
    h('h3', {}, title),
    h(
      'ul',
      { class: 'readers' },
      reader(mode === 'token', who.script, reads[mode].script),
      reader(mode !== 'session', who.holder, reads[mode].holder),
      h('li', { class: 'cannot' }, h('strong', {}, who.changer), `${colon}${changer}`),
    ),
  ]
}

/** The content of the credential in use. */
export function credentialView(mode: Mode): Child {
  const words = tSignedIn().inspector
  const { inspection, settings } = state()
  const held = tokens()
  return [
    h('p', { class: 'inspected' }, `${words.inUse}${words.colon}`, badge(mode)),
    carriedView(mode),
    mode === 'token' && held && tokenView(held),
    inspection && [
      cookieView(inspection),
      fields('cookie-fields', words.fields, inspection.cookie_fields),
      fields('session-fields', words.session, inspection.session),
    ],
    readers(mode),
    inspection && fields('sign-in-fields', words.signIn, inspection.sign_in),
    settings && !settings.inspector && h('p', { class: 'fine' }, words.off),
  ]
}
