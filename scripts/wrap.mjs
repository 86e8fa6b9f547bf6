/**
 * Breaks English and Chinese text into lines, with estimated widths: there is no browser to ask.
 *
 * @typedef {Readonly<{ lines: string[], width: number }>} Label lines of one text; the width is in pixels
 */

/** The size of all text, in pixels. A Chinese character is as wide. */
export const FONT = 13
/** Other characters: an estimate on the wide side. */
const NARROW = 7.1

const WIDE = /[\p{Script=Han}\u3000-\u303f\uff00-\uffef“”…—]/u
/** No line begins with these. */
const CLOSING = /^[，。、；：？！）”]/u

/** @param {string} text @returns {number} in pixels */
export const widthOf = (text) => [...text].reduce((sum, char) => sum + (WIDE.test(char) ? FONT : NARROW), 0)

/** Where a line may break: after a space, and between Chinese characters. @param {string} text @returns {string[]} */
const piecesOf = (text) =>
  text.match(/[\p{Script=Han}，。、；：？！（）“”]|[^\p{Script=Han}，。、；：？！（）“”\s]+\s*|\s+/gu) ?? []

/** @param {string} text @param {number} most in pixels @returns {string[]} */
function linesOf(text, most) {
  const lines = ['']
  for (const piece of piecesOf(text)) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && widthOf((line + piece).trimEnd()) > most && !CLOSING.test(piece)) lines.push(piece)
    else lines[lines.length - 1] = line + piece
  }
  return lines.map((line) => line.trim())
}

/** As few lines as possible, of about the same width. @param {string} text @param {number} most in pixels @returns {Label} */
export function wrap(text, most) {
  const fewest = linesOf(text, most).length
  let width = Math.min(most, widthOf(text) / fewest)
  while (linesOf(text, width).length > fewest) width += 2
  const lines = linesOf(text, width)
  return { lines, width: Math.ceil(Math.max(...lines.map(widthOf))) }
}
