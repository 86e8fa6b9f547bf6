/** A sentence in both languages. */
export interface Text {
  readonly en: string
  readonly zh: string
}

export type Language = keyof Text

/** The same words in both languages: codes, names, values. */
export const same = (text: string): Text => ({ en: text, zh: text })

/** `T` with one language left of each sentence. */
export type Said<T> = T extends Text
  ? string
  : T extends object
    ? { readonly [Name in keyof T]: Said<T[Name]> }
    : T

function isText(value: object): value is Text {
  const names = Object.keys(value)
  return names.length === 2 && 'en' in value && 'zh' in value
}

/** A copy of the value with every sentence in this language. */
export function say<T>(value: T, language: Language): Said<T>
export function say(value: unknown, language: Language): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((each) => say(each, language))
  if (isText(value)) return value[language]
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, say(each, language)]))
}
