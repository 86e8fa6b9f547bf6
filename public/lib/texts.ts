import type { Text } from '../text/en.js'
import { type Language, language } from './language.js'

/** The texts that a bundle contains, in the language of its HTML, and the way to the others. */
export interface Texts {
  readonly language: Language
  readonly own: Text
  readonly loadOther: () => Promise<Text>
}

let texts: Texts | null = null
let other: Text | null = null

/** Must be called before anything is painted. */
export function useTexts(given: Texts): void {
  texts = given
}

/** The texts of the chosen language, or those of the bundle until the others are loaded. */
export function t(): Text {
  if (!texts) throw new Error('The page has no texts.')
  return language() === texts.language ? texts.own : (other ?? texts.own)
}

/** Loads the texts of the chosen language, if the bundle lacks them. Without a network, the texts stay as they are. */
export async function loadTexts(): Promise<void> {
  if (!texts || language() === texts.language) return
  try {
    other ??= await texts.loadOther()
  } catch {
    // The next choice tries again.
  }
}
