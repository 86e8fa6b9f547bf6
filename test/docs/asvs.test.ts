import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { anchorsOf } from './links.js'

const PAGE = 'docs/asvs.md'

/** How many requirements each section of ASVS 5.0.0 has, in order. */
const SECTIONS: Readonly<Record<string, readonly number[]>> = {
  3: [1, 3, 5, 8, 8, 1, 5],
  6: [3, 12, 8, 6, 8, 4, 2, 4],
  7: [3, 4, 2, 5, 3, 2],
  9: [3, 4],
}

/** Of another chapter: those about stolen tokens. */
const FURTHER = ['10.3.5', '10.4.5', '10.4.14']

const NUMBERS = Object.entries(SECTIONS).flatMap(([chapter, sizes]) =>
  sizes.flatMap((size, section) =>
    Array.from({ length: size }, (_, at) => `${chapter}.${section + 1}.${at + 1}`),
  ),
)

interface Row {
  readonly number: string
  readonly level: string
  readonly status: string
  readonly how: string
  readonly tests: readonly { readonly file: string; readonly name: string }[]
}

function rowOf(line: string): Row {
  const [number = '', level = '', about = '', status = '', how = '', shown = '', ...more] = line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
  if (about === '' || more.length > 0) throw new Error(`no row of six cells: ${number}`)
  const cited = shown === '' ? [] : shown.split('<br>')
  const tests = cited.map((citation) => {
    const [, file = '', name = ''] = /^`([\w./-]+\.ts)`: `([^`]+)`$/.exec(citation) ?? []
    return { file, name }
  })
  return { number, level, status, how, tests }
}

const text = readFileSync(PAGE, 'utf8')
const rows = text.split('\n').flatMap((line) => (/^\| \d+\.\d+\.\d+ /.test(line) ? [rowOf(line)] : []))

/** The pages that a text links to, from a file in `from`. */
function* linksIn(markdown: string, from: string): Generator<{ file: string; anchor: string }> {
  for (const [, file = '', anchor = ''] of markdown.matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g))
    yield { file: file === '' ? from : join(dirname(from), file), anchor }
}

t.test('docs/asvs.md has each requirement of the four chapters once, in order, and three more', async (t) => {
  t.equal(NUMBERS.length, 104)
  t.strictSame(
    rows.map(({ number }) => number),
    [...NUMBERS, ...FURTHER],
  )
})

t.test('each has a level and a status, with a reason or a test, and the statuses are counted', async (t) => {
  const counts = new Map<string, number>()
  for (const { number, level, status, how, tests } of rows) {
    t.match(level, /^[123]$/, number)
    counts.set(status, (counts.get(status) ?? 0) + 1)
    if (status === 'met') t.ok(tests.length > 0 || /\]\(/.test(how), `${number} is shown by a test or a page`)
    else t.not(how, '', `${number} says why`)
  }
  const told = [...text.matchAll(/^\| (met|yours|n\/a|deviation) \| (\d+) \|/gm)]
  t.strictSame(new Map(told.map(([, status = '', count]) => [status, Number(count)])), counts)
})

t.test('each test that is named exists, under that name', async (t) => {
  const files = new Map<string, string>()
  for (const { number, tests } of rows)
    for (const { file, name } of tests) {
      const path = join('test', file)
      if (!t.ok(file !== '' && existsSync(path), `${number}: ${path}`)) continue
      const code = files.get(path) ?? readFileSync(path, 'utf8')
      files.set(path, code)
      // Between its own quotes: a part of another name is no name.
      const quoted = ["'", '"', '`'].map((quote) => `${quote}${name}${quote}`)
      t.ok(
        quoted.some((literal) => code.includes(literal)),
        `${number}: ${file} has "${name}"`,
      )
    }
})

t.test('SECURITY.md names each deviation, and every link leads somewhere', async (t) => {
  const security = readFileSync('SECURITY.md', 'utf8')
  const [, plainly = ''] = security.split('## Where we fall short of ASVS')
  for (const { number, status } of rows)
    if (status === 'deviation') t.match(plainly, new RegExp(`\\b${number.replaceAll('.', '\\.')}\\b`), number)
  const links = [...linksIn(security, 'SECURITY.md'), ...linksIn(text, PAGE)]
  t.ok(links.length > 10)
  for (const { file, anchor } of links) {
    if (!t.ok(existsSync(file), file) || anchor === '') continue
    t.ok(anchorsOf(file).includes(anchor), `${file}#${anchor}`)
  }
})
