import { en, type Text } from '../text/en.js'
import { zh } from '../text/zh.js'
import { byId, fill } from './dom.js'
import { brand } from './elements.js'
import { language, t } from './language.js'
import { languages } from './languages.js'
import { loadTexts, useTexts } from './texts.js'

/* The frame of a small page with a bundle of its own. The first load of the main page stays small. */

/** Advice on the failures that only this page meets, by code. */
type Advice = Readonly<Record<string, string>>

const withAdvice = (text: Text, advice: Advice): Text => ({
  ...text,
  failure: { ...text.failure, advice: { ...text.failure.advice, ...advice } },
})

/** Both languages are in the bundle. Must run before anything is painted. */
export async function useOwnTexts(own: { readonly en: Advice; readonly zh: Advice }): Promise<void> {
  const loadOther = async () => withAdvice(zh, own.zh)
  useTexts({ language: 'en', own: withAdvice(en, own.en), loadOther })
  await loadTexts()
}

/** Everything except the page's own part. */
export function paintFrame(title: string, translate: () => Promise<void>): void {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
  document.title = `${title} · ${t().title}`
  byId('skip').textContent = t().skip
  fill('top', [brand(t().title), languages(t().language, translate)])
}
