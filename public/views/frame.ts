import { type Child, h } from '../lib/dom.js'
import { brand } from '../lib/elements.js'
import { t } from '../lib/language.js'
import { languages } from '../lib/languages.js'
import { state, update } from '../lib/store.js'
import { loadTexts } from '../lib/texts.js'

async function translate(): Promise<void> {
  await loadTexts()
  // Earlier notices are in the other language.
  update({ failures: {}, notices: {} })
}

/** Two parts that a narrow screen shows in turn. A wide one shows both, and hides these buttons. */
function views(): HTMLElement {
  const part = (name: 'page' | 'inspector', label: string) =>
    h(
      'button',
      {
        id: `view-${name}`,
        type: 'button',
        'aria-pressed': state().view === name,
        click: () => update({ view: name }),
      },
      label,
    )
  return h(
    'div',
    { class: 'views', role: 'group', 'aria-label': t().views.label },
    part('page', t().views.page),
    part('inspector', t().inspector.title),
  )
}

export function topView(): Child {
  const { settings } = state()
  return [
    brand(t().title),
    settings?.lab && h('a', { href: '/lab', class: 'docs' }, t().lab),
    settings?.docs && h('a', { href: '/docs', class: 'docs' }, t().docs),
    languages(t().language, translate),
    views(),
  ]
}

export function footView(): readonly Child[] {
  const { text, href } = t().guide
  return [h('p', {}, t().foot), state().settings?.lab && h('p', {}, h('a', { href }, text))]
}
