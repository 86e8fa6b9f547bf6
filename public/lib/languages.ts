import { h } from './dom.js'
import { chooseLanguage, type Language, language } from './language.js'

const NAMES = { en: 'English', zh: '中文' } as const

/** The choice of the page's language. `chosen` runs after a choice. */
export function languages(label: string, chosen: () => unknown): HTMLElement {
  const choice = (wanted: Language) =>
    h(
      'button',
      {
        id: `language-${wanted}`,
        type: 'button',
        lang: wanted === 'zh' ? 'zh-CN' : 'en',
        'aria-pressed': language() === wanted,
        click: () => {
          chooseLanguage(wanted)
          chosen()
        },
      },
      NAMES[wanted],
    )
  return h('div', { class: 'languages', role: 'group', 'aria-label': label }, choice('en'), choice('zh'))
}
