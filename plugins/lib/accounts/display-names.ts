/** The maximum length of a display name in code points. */
const DISPLAY_NAME_MAX_LENGTH = 64

/**
 * Characters that hide, or that change the order in which the text around a name is read (U+202E shows `gpj.exe` as
 * `exe.jpg`): controls, line and paragraph separators, private and unassigned code points, lone surrogates, and format
 * characters. Two joiners (U+200C, U+200D) are allowed, because Persian, Hindi and some emoji need them.
 */
const REFUSED = /(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** A name of spaces, joiners, fillers or blank Braille cells alone would show nothing. */
const VISIBLE = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{P}\p{S}]/u

/**
 * The display name as it is stored: NFC, without spaces around it; null if the text cannot be one. It has 1 to 64 code
 * points. It identifies nobody: two accounts may have the same one.
 */
export function displayNameOf(typed: string): string | null {
  // A hard limit first, since normalising a long text takes time.
  if (typed.length > 4 * DISPLAY_NAME_MAX_LENGTH) return null
  const name = typed.normalize('NFC').trim()
  const isShort = [...name].length <= DISPLAY_NAME_MAX_LENGTH
  return isShort && VISIBLE.test(name) && !REFUSED.test(name) ? name : null
}
