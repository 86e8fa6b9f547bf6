import t, { type Test } from 'tap'
import { blocksOf, TRANSLATION } from './blocks.js'
import { anchorsOf, proseOf, targetsOf } from './links.js'

/*
 * Holds README.md and its translation together: whatever is no language must be the same in both, so that neither can
 * be changed alone. That is the code, the order of headings, paragraphs, tables and pictures, and in each of these the
 * code spans, the links and, in a table, the numbers.
 */

const ORIGINAL = 'README.md'

const found = (text: string, pattern: RegExp) => (text.match(pattern) ?? []).sort()

/** A comment may be in another language; not the status, code or number that it names. */
function untranslated(line: string, language: string): string {
  const comment = (language === 'sh' ? /(^|\s+)# .*$/ : /(^|\s+)\/\/ .*$/).exec(line)
  if (!comment) return line
  const named = found(comment[0], /\d+|\w+_\w+(: \w+)?|[\w"]+:[\w"]+/g)
  return [line.slice(0, comment.index), 'comment', ...named].join(' # ')
}

/** A part of a page: where it is, and what must be the same in both pages. */
interface Part {
  readonly place: string
  readonly same: readonly unknown[]
}

function codeOf(page: string): Part[] {
  return blocksOf(page).map(({ line, language, text }) => ({
    place: `${page}:${line}`,
    same: [language, ...text.split('\n').map((line) => untranslated(line, language))],
  }))
}

/** Where the links of a text lead: a heading of the page itself by its number, since its words differ. */
function linksOf(page: string, text: string): string[] {
  return targetsOf(text)
    .map((target) => (target.startsWith('#') ? `#${anchorsOf(page).indexOf(target.slice(1))}` : target))
    .filter((target) => target !== ORIGINAL && target !== TRANSLATION)
    .sort()
}

const CODE = /`[^`]+`/g
const plain = (text: string) => text.replaceAll(CODE, '').replaceAll(/\]\([^)]*\)/g, ']')

/** What nobody translates of a cell: all of it where it has no words, else its code, links and numbers. */
function cell(page: string, text: string): string[] {
  const words = plain(text)
  if (!/\p{L}/u.test(words)) return [text.replaceAll('、', ', ').trim()]
  return ['words', ...found(text, CODE), ...linksOf(page, text), ...found(words, /\d[\d ]*/g)].map((part) =>
    part.trim(),
  )
}

/** What stands between two blank lines, without its words. */
function shapeOf(page: string, chunk: string): unknown[] {
  const [kind = ''] = /^(#+ |\||!\[|<\/?\w+|```)/.exec(chunk) ?? ['text']
  if (kind !== '|') return [kind, ...found(chunk, CODE), ...linksOf(page, chunk)]
  return [kind, ...chunk.split('\n').map((row) => row.split('|').map((text) => cell(page, text)))]
}

function shapesOf(page: string): Part[] {
  const prose = proseOf(page).replaceAll(/^<!--.*-->\n/gm, '')
  return prose
    .trim()
    .split(/\n{2,}/)
    .map((chunk) => ({ place: `${page}: ${chunk.slice(0, 40)}`, same: shapeOf(page, chunk) }))
}

/** One by one, so that a failure shows the place and not the page. */
function sameInOrder(t: Test, ours: readonly Part[], theirs: readonly Part[]): void {
  for (const [index, { place, same }] of theirs.entries()) t.strictSame(ours[index]?.same, same, place)
  t.equal(ours.length, theirs.length)
}

t.test('the README in Chinese has the same code', async (t) => {
  sameInOrder(t, codeOf(TRANSLATION), codeOf(ORIGINAL))
})

t.test('it has the same headings, paragraphs, tables and pictures, about the same things', async (t) => {
  sameInOrder(t, shapesOf(TRANSLATION), shapesOf(ORIGINAL))
})

t.test('each README leads to the other', async (t) => {
  t.match(proseOf(ORIGINAL), `](${TRANSLATION})`)
  t.match(proseOf(TRANSLATION), `](${ORIGINAL})`)
})
