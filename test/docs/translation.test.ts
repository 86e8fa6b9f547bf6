import { dirname, join, normalize, relative } from 'node:path'
import t, { type Test } from 'tap'
import { blocksOf, type Translation, translations } from './blocks.js'
import { anchorsOf, proseOf, targetsOf } from './links.js'

/*
 * Holds the English pages and their translations together: whatever is no language must be the same in both, so that
 * neither can be changed alone. That is the code, the order of headings, paragraphs, tables and pictures, and in each of
 * these the code spans, the links and, in a table, the numbers.
 */

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

/** The blocks of a page, byte for byte; those of the README with comments in its language. */
function codeOf(page: string): Part[] {
  const isReadme = page.startsWith('README.')
  return blocksOf(page).map(({ line, language, text }) => {
    const lines = text.split('\n')
    const kept = isReadme ? lines.map((line) => untranslated(line, language)) : lines
    return { place: `${page}:${line}`, same: [language, ...kept] }
  })
}

/** The path in English of what a path of either language leads to. */
const inEnglish = (path: string) => path.replace(/^docs\/zh\//, 'docs/').replace(/\.zh(?=\.\w+$)/, '')

interface Target {
  readonly path: string
  readonly anchor: string | undefined
}

/** Where a link of a page leads, from the root of the repository. */
function targetOf(page: string, link: string): Target {
  const [path = '', anchor] = link.split('#')
  return { path: path === '' ? page : normalize(join(dirname(page), path)), anchor }
}

/** The same for both languages: a heading by its number, since its words differ. */
function placeOf(page: string, link: string): string {
  if (/^[a-z]+:/.test(link)) return link
  const { path, anchor } = targetOf(page, link)
  return anchor === undefined ? inEnglish(path) : `${inEnglish(path)}#${anchorsOf(path).indexOf(anchor)}`
}

/** Where the links of a text lead. Each page leads to itself in the other language, which is left out. */
function linksOf(page: string, text: string): string[] {
  const places = targetsOf(text).map((link) => placeOf(page, link))
  return places.filter((place) => place !== inEnglish(page)).sort()
}

const CODE = /`[^`]+`/g
const plain = (text: string) => text.replaceAll(CODE, '').replaceAll(/\]\([^)]*\)/g, ']')

/** What nobody translates of a cell: all of it where it has no words, else its code, links and numbers. */
function cell(page: string, text: string): string[] {
  const words = plain(text)
  if (!/\p{L}/u.test(words)) return [text.replaceAll('、', ', ').replaceAll('：', ': ').trim()]
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
  for (const [index, { place, same }] of theirs.entries())
    t.strictSame(ours[index]?.same, same, `${place} (${ours[index]?.place})`)
  t.equal(ours.length, theirs.length)
}

const pages = translations()

/** How a page links to another one. */
const linkTo = (from: string, to: string) => `](${relative(dirname(from), to)})`

/** The line under the title of a page. */
const underTitle = (page: string) => proseOf(page).split('\n')[2] ?? ''

function holdTogether({ page, original }: Translation): void {
  t.test(`${page} has the same code as ${original}`, async (t) => {
    sameInOrder(t, codeOf(page), codeOf(original))
  })

  t.test(
    `${page} has the same headings, paragraphs, tables and pictures, about the same things`,
    async (t) => {
      sameInOrder(t, shapesOf(page), shapesOf(original))
    },
  )

  t.test(`${page} and ${original} lead to each other under their titles`, async (t) => {
    t.match(underTitle(page), linkTo(page, original))
    t.match(underTitle(original), linkTo(original, page))
  })
}

pages.forEach(holdTogether)

t.test('a Chinese page leads to a Chinese page where there is one', async (t) => {
  const translated = new Map(pages.map(({ page, original }) => [original, page]))
  for (const { page, original } of pages) {
    const links = targetsOf(proseOf(page)).filter((link) => !/^[a-z]+:/.test(link))
    const paths = links.map((link) => targetOf(page, link).path).filter((path) => path !== original)
    for (const path of paths) t.equal(translated.get(path), undefined, `${page} leads to ${path}`)
  }
  t.ok(pages.length > 1, `${pages.length} pages`)
})
