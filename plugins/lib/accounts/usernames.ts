/** The most characters (code points) of a username, as typed and as compared. */
export const USERNAME_MAX_LENGTH = 64

/**
 * What two names could differ in without looking different: controls, format characters (joiners and
 * direction marks among them), private and unassigned code points, lone surrogates, every space and
 * separator but U+0020, what renderers leave out (variation selectors, fillers), and the blank Braille
 * cell. Unassigned ones also because a later Unicode may fold them.
 */
const INVISIBLE = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800]|(?! )\p{Z}/u
/** A space is part of a name only between two other characters. */
const LOOSE_SPACE = /^ | $| {2}/

/** In a path, clients take them for this directory and the one above (RFC 3986 §5.2.4). */
const DOTS = /^\.{1,2}$/

function isPresentable(name: string): boolean {
  if (name.length > 2 * USERNAME_MAX_LENGTH || DOTS.test(name)) return false
  const { length } = [...name]
  return length >= 1 && length <= USERNAME_MAX_LENGTH && !INVISIBLE.test(name) && !LOOSE_SPACE.test(name)
}

/**
 * The form that texts are compared by, whatever they are: NFKC, then case folding without a locale. Idempotent.
 *
 * Upper case first, so that all lower-case forms of a letter meet (`ß` and `SS`); then again until nothing moves
 * (`ẞ` takes two rounds). Lower case alone minds what stands around a letter: at the end of a word it makes `ς` of
 * `Σ`. Folding does not (Unicode §3.13, toCasefold), so that what begins a text, or is in it, is found there.
 */
export function foldText(text: string): string {
  const lower = text.normalize('NFKC').toUpperCase().toLowerCase()
  const folded = lower.replaceAll('ς', 'σ').normalize('NFKC')
  return folded === text ? text : foldText(folded)
}

/**
 * The form that usernames are compared by (NFKC, then case folding without a locale), or null when the
 * text is no username: 1 to 64 characters of any script, all of them visible, single spaces between them.
 * Nothing is trimmed. Idempotent.
 *
 * Limits: letters of different scripts that look alike (Latin `a`, Cyrillic `а`) stay different names;
 * `ı`, `İ` and `i` fold as they do outside Turkish; names that need joiners (U+200C, U+200D) are refused.
 */
export function canonicalUsername(typed: string): string | null {
  if (!isPresentable(typed)) return null
  const canonical = foldText(typed)
  return isPresentable(canonical) ? canonical : null
}

/**
 * What the canonical forms of names begin with that are typed in this way, or null when none can. The space at
 * its end may be one between two words.
 */
export function canonicalPrefix(typed: string): string | null {
  const prefix = foldText(typed)
  return prefix.length > 2 * USERNAME_MAX_LENGTH || INVISIBLE.test(prefix) ? null : prefix
}

const NOT_SHOWN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800]/gu

/**
 * What is counted as one name: the canonical form; and of what is no username, a form in which all meets that some
 * other source of accounts may take for the same name, because it trims, or leaves out what is not shown.
 */
export function comparableName(typed: string): string {
  return canonicalUsername(typed) ?? foldText(typed.replace(NOT_SHOWN, ''))
}
