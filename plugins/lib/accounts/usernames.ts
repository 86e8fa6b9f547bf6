/** The maximum length of a username in code points, both as typed and as compared. */
const USERNAME_MAX_LENGTH = 64

/**
 * Characters that make two names different without looking different: controls, format characters (such as joiners and
 * direction marks), private and unassigned code points, lone surrogates, every space and separator except U+0020,
 * characters that renderers omit (variation selectors, fillers), and the blank Braille cell. A later Unicode may also
 * fold code points that are unassigned today.
 */
const INVISIBLE = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800]|(?! )\p{Z}/u
/** A space is part of a name only between two other characters. */
const LOOSE_SPACE = /^ | $| {2}/

/** In a path, clients resolve them as this directory and its parent (RFC 3986 §5.2.4). */
const DOTS = /^\.{1,2}$/

function isPresentable(name: string): boolean {
  if (name.length > 2 * USERNAME_MAX_LENGTH || DOTS.test(name)) return false
  const { length } = [...name]
  return length >= 1 && length <= USERNAME_MAX_LENGTH && !INVISIBLE.test(name) && !LOOSE_SPACE.test(name)
}

/**
 * The form in which texts are compared: NFKC, then case folding without a locale. Idempotent.
 *
 * Upper case comes first, so that all lower-case forms of a letter become equal (`ß` and `SS`); rounds repeat until
 * nothing changes (`ẞ` takes two). Lower-casing depends on the letter's position: at the end of a word `Σ` becomes
 * `ς`. Folding must not depend on it (Unicode §3.13, toCasefold), so that prefixes and parts of a text are found in it.
 */
export function foldText(text: string): string {
  const lower = text.normalize('NFKC').toUpperCase().toLowerCase()
  const folded = lower.replaceAll('ς', 'σ').normalize('NFKC')
  return folded === text ? text : foldText(folded)
}

/**
 * The form in which usernames are compared (see `foldText`); null if the text is no username. A username has 1 to 64
 * visible characters of any script, with single spaces between them.
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
 * The prefix of the canonical forms of all names that begin like this; null if no name can. The prefix may end with a
 * space, since that may be the space between two words.
 */
export function canonicalPrefix(typed: string): string | null {
  const prefix = foldText(typed)
  return prefix.length > 2 * USERNAME_MAX_LENGTH || INVISIBLE.test(prefix) ? null : prefix
}

const NOT_SHOWN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800]/gu

/**
 * The key under which attempts at a name are counted: the canonical form. A text that is no username is reduced
 * further: another source of accounts may trim it, or drop invisible characters, and find the same account.
 */
export function comparableName(typed: string): string {
  return canonicalUsername(typed) ?? foldText(typed.replace(NOT_SHOWN, ''))
}
