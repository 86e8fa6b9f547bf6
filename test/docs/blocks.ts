import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Taken when the tests start: a block may run elsewhere. */
export const ROOT = process.cwd()

/** A fenced block of a page, with the comment above it that says how it is run. */
export interface Block {
  readonly page: string
  /** Of the fence that opens it, from 1. */
  readonly line: number
  readonly language: string
  readonly text: string
  /** `block`, `asserts`, `prints` or `printed`; empty where there is no marker. */
  readonly marker: string
  /** What stands behind the marker's colon. */
  readonly value: string
}

/** The directory of the Chinese pages. A page there has the name of the page in docs/ that it translates. */
const CHINESE = 'docs/zh'

/** A Chinese page, and the English one that it translates. */
export interface Translation {
  readonly page: string
  readonly original: string
}

/** All Chinese pages. Their blocks are those of the English pages (translation.test.ts), which are run. */
export function translations(): Translation[] {
  const inDocs = readdirSync(join(ROOT, CHINESE)).toSorted()
  return [
    { page: 'README.zh.md', original: 'README.md' },
    ...inDocs.map((file) => ({ page: join(CHINESE, file), original: join('docs', file) })),
  ]
}

/** The directories beside docs/ that have a README. */
const WITH_README = ['benchmarks', 'plugins', 'routes', 'test']

/** The pages in a directory, in the order of their names. */
const pagesIn = (directory: string): string[] =>
  readdirSync(join(ROOT, directory))
    .filter((file) => /^[\w-]+\.md$/.test(file))
    .toSorted()
    .map((file) => join(directory, file))

/** The recipes: each is one whole program. */
export const recipes = (): string[] => pagesIn('docs/recipes')

/** The English pages. */
export function englishPages(): string[] {
  return [
    'README.md',
    'plugins/CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...WITH_README.map((directory) => join(directory, 'README.md')),
    ...pagesIn('docs'),
    ...recipes(),
  ]
}

const FENCE = /^ *(`{3,}|~{3,})(.*)$/
const MARKER = /^<!-- (block|asserts|prints|printed)(?:: (.+?))? -->$/

function blockAt(page: string, lines: readonly string[], start: number): { block: Block; end: number } {
  const [, fence = '', language = ''] = FENCE.exec(lines[start] ?? '') ?? []
  const end = lines.findIndex((line, index) => index > start && line.trim() === fence)
  if (end < 0) throw new Error(`${page}:${start + 1}: a block that does not end`)
  const above = lines.slice(0, start).findLast((line) => line.trim() !== '') ?? ''
  const [, marker = '', value = ''] = MARKER.exec(above.trim()) ?? []
  const text = `${lines.slice(start + 1, end).join('\n')}\n`
  return { block: { page, line: start + 1, language: language.trim(), text, marker, value }, end }
}

/** Every fenced block of a page, in its order. */
export function blocksOf(page: string): Block[] {
  const lines = readFileSync(join(ROOT, page), 'utf8').split('\n')
  const blocks: Block[] = []
  for (let index = 0; index < lines.length; index++) {
    if (!FENCE.test(lines[index] ?? '')) continue
    const { block, end } = blockAt(page, lines, index)
    blocks.push(block)
    index = end
  }
  return blocks
}

/** The text of the block of that name. */
export function textOf(page: string, name: string): string {
  const found = blocksOf(page).find(({ marker, value }) => marker === 'block' && value === name)
  if (!found) throw new Error(`${page} has no block "${name}".`)
  return found.text
}
