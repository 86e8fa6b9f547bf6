import type { Text } from '../text/en.js'
import type { SignedInText } from '../text/en-signed-in.js'
import { type Language, language } from './language.js'

/** The texts that a bundle contains, in the language of its HTML, and the way to the others. */
export interface Texts {
  readonly language: Language
  readonly own: Text
  readonly loadOther: () => Promise<Text>
}

let texts: Texts | null = null
let other: Text | null = null

/** The texts for a signed-in user, in each language that was needed. */
const signedIn: Partial<Record<Language, SignedInText>> = {}

const LOADERS = {
  en: async () => (await import('../text/en-signed-in.js')).enSignedIn,
  zh: async () => (await import('../text/zh-signed-in.js')).zhSignedIn,
}

/** Must be called before anything is painted. */
export function useTexts(given: Texts): void {
  texts = given
}

/** The texts of the chosen language, or those of the bundle until the others are loaded. */
export function t(): Text {
  if (!texts) throw new Error('The page has no texts.')
  return language() === texts.language ? texts.own : (other ?? texts.own)
}

/** The same of the texts for a signed-in user. */
export function tSignedIn(): SignedInText {
  const found = signedIn[language()] ?? signedIn.en ?? signedIn.zh
  if (!found) throw new Error('The page has no texts for a signed-in user.')
  return found
}

/** Loads the texts for a signed-in user. @returns whether the page has them, in any language */
export async function loadSignedInTexts(): Promise<boolean> {
  const wanted = language()
  try {
    // A server of another version answers with a script without texts, which reloads the page.
    signedIn[wanted] ??= await LOADERS[wanted]()
  } catch {
    // The next call tries again.
  }
  return Object.values(signedIn).some((each) => each !== undefined)
}

/** Loads the texts of the chosen language, if the page lacks them. Without a network, the texts stay as they are. */
export async function loadTexts(): Promise<void> {
  if (signedIn.en ?? signedIn.zh) await loadSignedInTexts()
  if (!texts || language() === texts.language) return
  try {
    other ??= await texts.loadOther()
  } catch {
    // The next choice tries again.
  }
}
