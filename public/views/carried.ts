import type { Mode } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { t, tSignedIn } from '../lib/language.js'
import { state } from '../lib/store.js'
import { tokens } from '../lib/tokens.js'

const DOTS = '••••••••••••'

/** The header that identifies the caller in the next request, as far as a script can read it. */
export function carriedView(mode: Mode): Child {
  const { travels } = t().inspector
  const { sent } = tSignedIn().inspector
  const name = mode === 'token' ? '' : (state().settings?.cookie_names[mode] ?? '')
  const [header = '', payload = ''] = tokens()?.token.split('.') ?? []
  const line =
    mode === 'token'
      ? [
          'Authorization: Bearer ',
          h('span', { class: 'token-header' }, header),
          '.',
          h('span', { class: 'token-payload' }, `${payload.slice(0, 48)}…`),
          `.${DOTS}`,
        ]
      : `Cookie: ${name}=${DOTS}`
  return [
    h('h3', {}, travels),
    h('p', { class: 'proof' }, h('code', { id: 'carried' }, line)),
    h('p', { class: 'fine' }, sent[mode]),
  ]
}
