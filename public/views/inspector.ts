import type { Mode } from '../lib/answers.js'
import { type Child, h } from '../lib/dom.js'
import { t } from '../lib/language.js'
import { signedIn } from '../lib/later.js'
import { state } from '../lib/store.js'
import { badge, outcome } from './parts.js'

/** Before a sign-in: where everything would be. */
function plan(mode: Mode): Child {
  const words = t().inspector
  const parts = ['client', 'travels', 'server', 'good', 'mind'] as const
  return [
    h('p', { class: 'inspected' }, `${words.before} `, badge(mode)),
    h(
      'dl',
      { class: 'plan' },
      ...parts.map((part) => [h('dt', {}, words[part]), h('dd', {}, words.plan[mode][part])]),
    ),
  ]
}

/** The content of the credential in use. */
export function inspectorView(): Child {
  const { me, chosen } = state()
  return [
    h('h2', { id: 'inspector-title' }, t().inspector.title),
    outcome('inspector'),
    me ? signedIn().credentialView(me.mode) : plan(chosen),
  ]
}
