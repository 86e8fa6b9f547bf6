import { type Child, h } from '../lib/dom.js'
import { chooseLanguage, type Language, language, t } from '../lib/language.js'
import { state, update } from '../lib/store.js'
import { loadTexts } from '../lib/texts.js'

const NAMES = { en: 'English', zh: '中文' } as const

function choice(wanted: Language): HTMLElement {
  return h(
    'button',
    {
      id: `language-${wanted}`,
      type: 'button',
      lang: wanted === 'zh' ? 'zh-CN' : 'en',
      'aria-pressed': language() === wanted,
      click: async () => {
        chooseLanguage(wanted)
        await loadTexts()
        // Earlier notices are in the other language.
        update({ failures: {}, notices: {} })
      },
    },
    NAMES[wanted],
  )
}

export function topView(): Child {
  return [
    h(
      'p',
      { class: 'brand' },
      h('img', { src: '/page/icon.svg', alt: '', width: 28, height: 28 }),
      t().title,
    ),
    state().settings?.docs && h('a', { href: '/docs', class: 'docs' }, t().docs),
    h('div', { class: 'languages', role: 'group', 'aria-label': t().language }, choice('en'), choice('zh')),
  ]
}

export function footView(): Child {
  return h('p', {}, t().foot)
}
